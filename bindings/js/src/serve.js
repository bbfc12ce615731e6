// The worker's side of `remote.js`: one model, calls `{ id, call, argument }`, replies `{ id, progress | result | error }`.

export function serve(load, port) {
  let model;
  const calls = {
    async load({ source, options, reports }) {
      const onProgress = reports && ((progress) => port.post({ id: 0, progress }));
      model = await load(source, { ...options, onProgress: onProgress || undefined });
      return { ...model };
    },
    answer: (request) => model.answer(request),
  };
  port.listen(async ({ id, call, argument }) => {
    try {
      port.post({ id, result: await calls[call](argument) });
    } catch ({ code, name, message }) {
      port.post({ id, error: { code, name, message } });
    }
  });
}

"""Examples print what stands below them; signatures are those of the type stub."""

import ast
import doctest
import inspect
import sys
from pathlib import Path

import blockspan
import pytest

PACKAGE = Path(blockspan.__file__).parent
README = Path(__file__).parents[1] / "README.md"


def described():
    """Everything public, and what it has."""
    yield "blockspan", blockspan
    for name in blockspan.__all__:
        value = getattr(blockspan, name)
        yield name, value
        if inspect.isclass(value):
            own = [member for member in vars(value) if not member.startswith("_") or member == "__call__"]
            yield from ((f"{name}.{member}", getattr(value, member)) for member in own)


DESCRIBED = dict(described())
WITH_EXAMPLES = [name for name, value in DESCRIBED.items() if ">>>" in (value.__doc__ or "")]


def run(text, name):
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert test.examples
    report = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append).failed == 0, "".join(report)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_of_docstrings(name):
    run(inspect.cleandoc(DESCRIBED[name].__doc__), name)


def test_the_main_things_have_examples():
    assert {"blockspan", "Model", "Model.answer", "Model.answer_many"} <= set(WITH_EXAMPLES)


def test_examples_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Code fences end an example, as a blank line does.
    lines = ["" if line.startswith("```") else line for line in README.read_text(encoding="utf-8").splitlines()]
    run("\n".join(lines), "README.md")


def test_the_example_of_the_projects_readme():
    text = (README.parents[2] / "README.md").read_text(encoding="utf-8")
    [example] = [block for block in text.split("```python\n") if block.startswith("import blockspan\n")]
    space = {}
    exec(example.split("```")[0], space)
    [answer] = space["answers"]
    assert answer.text and answer.text in "The Amazon is 6,400 km long."


def test_everything_public_is_described():
    assert [name for name, value in DESCRIBED.items() if name != "__version__" and not value.__doc__] == []


def test_signatures_are_those_of_the_stub():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    assert set(blockspan.__all__) >= {name for name in classes if not name.startswith("_")}
    for node in classes["Model"].body:
        member = getattr(blockspan.Model, node.name)
        if any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in node.decorator_list):
            assert inspect.isdatadescriptor(member)
            continue
        there = [(argument.arg, None) for argument in node.args.args[1:]]
        defaults = node.args.defaults
        there = [name for name, _ in there[: len(there) - len(defaults)]] + [
            (name, ast.unparse(default)) for (name, _), default in zip(there[len(there) - len(defaults) :], defaults)
        ]
        there += [
            (argument.arg, ast.unparse(default)) if default else argument.arg
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults)
        ]
        if node.name == "__new__" and sys.version_info < (3, 10):
            continue  # the stable interface of Python 3.9 has no place for a class's signature
        parameters = inspect.signature(blockspan.Model if node.name == "__new__" else member).parameters.values()
        here = [
            parameter.name if parameter.default is parameter.empty else (parameter.name, repr(parameter.default))
            for parameter in parameters
            if parameter.name != "self"
        ]
        # In an overload a default may be left out where another value is what makes it.
        if node.name == "answer_many" and "return_exceptions" in there:
            there[there.index("return_exceptions")] = ("return_exceptions", "False")
        assert here == there, node.name
    public = {name for name in vars(blockspan.Model) if not name.startswith("_")}
    assert public == {node.name for node in classes["Model"].body} - {"__new__"}

//! Whole-model logits are equal in every bit on every instruction set of this machine and for any number of
//! threads.

use anyhow::Result;
use blockspan_engine::{Kernels, Model, Parallel, Runtime, Serial, Session, ThreadPool};
use blockspan_kernels::{available, kernels_for};
use blockspan_tests::{TINY, default_model, packed_tiny};

/// Lengths around every width of the last tile.
const LENGTHS: [usize; 14] = [1, 7, 16, 17, 32, 33, 48, 49, 63, 64, 65, 80, 97, 128];

fn bits(model: &Model<'_>, lengths: &[usize], runtime: Runtime<'_>) -> Result<Vec<u32>> {
    let most = lengths.iter().copied().max().unwrap_or(8).max(8);
    let mut workspace = vec![0xa5; model.workspace_len(most, runtime.parallel.threads())];
    let mut session = Session::with(model, most, &mut workspace, runtime)?;
    let mut all = Vec::new();
    for &length in lengths {
        let word = |i: usize| ((i * 7919 + length * 31) % model.config().vocab) as u32;
        let ids: Vec<(u32, u32)> = (0..length).map(|i| (word(i), u32::from(i > length / 4))).collect();
        let (starts, ends) = session.logits(&ids)?;
        all.extend(starts.iter().chain(ends).map(|logit| logit.to_bits()));
    }
    Ok(all)
}

#[test]
fn every_instruction_set_and_thread_count_gives_the_same_logits() -> Result<()> {
    let pools = [2, 3, 8].into_iter().map(ThreadPool::new).collect::<std::io::Result<Vec<_>>>()?;
    let mut models: Vec<_> =
        TINY.into_iter().map(|name| Ok((name, packed_tiny(name)?, &LENGTHS[..]))).collect::<Result<_>>()?;
    models.push(("default", default_model()?, &[1, 48, 130, 384]));
    for (name, bytes, lengths) in &models {
        let model = Model::parse(bytes)?;
        let scalar: &dyn Kernels = &blockspan_kernels::scalar::Scalar;
        let expected = bits(&model, lengths, Runtime { kernels: scalar, parallel: &Serial })?;
        assert!(expected.iter().all(|&bits| f32::from_bits(bits).is_finite()), "{name}");
        for isa in available() {
            let Some(kernels) = kernels_for(isa) else { continue };
            let parallels =
                [&Serial as &dyn Parallel].into_iter().chain(pools.iter().map(|p| p as &dyn Parallel));
            for parallel in parallels {
                let got = bits(&model, lengths, Runtime { kernels, parallel })?;
                assert!(got == expected, "{name}: {isa} with {} threads differs", parallel.threads());
            }
        }
    }
    Ok(())
}

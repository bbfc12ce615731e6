//! Every instruction set of this machine gives the bits of the scalar kernels.

extern crate alloc;

mod runner;

use blockspan_kernels::{Isa, Kernels, available, best, kernels_for};
use runner::{fingerprint, floats, products, refusals};

/// Runs a comparison for every instruction set but the scalar one.
fn each(compare: fn(&dyn Kernels)) {
    for kernels in available().filter(|&isa| isa != Isa::Scalar).filter_map(kernels_for) {
        println!("{}", kernels.isa());
        compare(kernels);
    }
}

macro_rules! comparisons {
    ($($name:ident: $compare:path,)*) => {$(
        #[test]
        fn $name() {
            each($compare);
        }
    )*};
}

comparisons! {
    output_block_products_of_any_shape: products::output_block,
    input_block_products_of_any_shape_and_panel: products::input_block,
    attention_of_any_shape: products::dense,
    scores_and_softmax_of_any_size: products::scores_of_any_size,
    absmax_of_any_floats: floats::absmax,
    quantization_of_any_floats_in_every_layout: floats::quantize,
    quantization_by_channel_of_any_floats: floats::channels,
    layer_norm_of_any_floats: floats::layer_norm,
    embeddings_of_any_table: floats::embed,
    linear_layer_of_any_floats: floats::linear,
}

#[test]
fn every_kernel_refuses_operands_that_do_not_fit() {
    available().filter_map(kernels_for).for_each(refusals::check);
}

#[test]
fn the_best_is_available_and_kernels_are_those_asked_for() {
    assert_eq!(available().last(), Some(best().isa()));
    assert_eq!(available().next(), Some(Isa::Scalar));
    for isa in available() {
        assert_eq!(kernels_for(isa).unwrap().isa(), isa);
    }
}

#[test]
fn every_machine_gives_the_same_bits() {
    available().filter_map(kernels_for).for_each(fingerprint::check);
}

/// For runs on emulated CPUs, whose instruction sets are known.
#[test]
fn the_instruction_sets_are_those_expected() {
    if let Ok(expected) = std::env::var("BLOCKSPAN_EXPECT_ISA") {
        let names: Vec<&str> = available().map(Isa::name).collect();
        assert_eq!(names.join(" "), expected);
    }
}

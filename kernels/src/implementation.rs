//! What an instruction set implements: the kernels on operands that were checked.

use core::fmt;

use crate::Isa;
use crate::operands::*;

/// Hands the int8 products to a macro, after its arguments: the method of [`crate::Kernels`], its counterpart in
/// [`Implementation`] and its operands.
macro_rules! for_products {
    ($macro:ident!($($arguments:tt)*)) => {
        $macro! {
            $($arguments)*
            output_block => run_output_block(OutputBlockOperands);
            input_block => run_input_block(InputBlockOperands);
            scores => run_scores(ScoresOperands);
            context => run_context(ContextOperands);
        }
    };
}
pub(crate) use for_products;

/// Hands the vector functions, which are written once for all vector widths, to a macro as [`for_products`] does.
macro_rules! for_vector_functions {
    ($macro:ident!($($arguments:tt)*)) => {
        $macro! {
            $($arguments)*
            softmax => run_softmax(SoftmaxOperands);
            absmax => run_absmax(AbsmaxOperands);
            quantize_rows => run_quantize_rows(QuantizeRowsOperands);
            quantize_quads => run_quantize_quads(QuantizeQuadsOperands);
            quantize_tokens => run_quantize_tokens(QuantizeTokensOperands);
            quantize_gelu_rows => run_quantize_gelu_rows(QuantizeRowsOperands);
            quantize_gelu_quads => run_quantize_gelu_quads(QuantizeQuadsOperands);
            channel_absmax => run_channel_absmax(ChannelAbsmaxOperands);
            quantize_channels => run_quantize_channels(QuantizeChannelsOperands);
            layer_norm => run_layer_norm(LayerNormOperands);
            embed => run_embed(EmbedOperands);
            linear_f32 => run_linear_f32(LinearOperands);
        }
    };
}
pub(crate) use for_vector_functions;

macro_rules! declare {
    ($($name:ident => $run:ident($operands:ident);)*) => {$(
        #[doc = concat!("See [`crate::Kernels::", stringify!($name), "`].")]
        fn $run(&self, operands: $operands<'_>);
    )*};
}

/// The kernels of one instruction set, which its token implements: each does what the function of that name in
/// [`crate::scalar`] does, with the same bits.
///
/// Operands were checked, so that a kernel returns nothing and looks at no length again. [`crate::Kernels`] is the way in.
pub trait Implementation: Sync + fmt::Debug {
    /// See [`crate::Kernels::isa`].
    fn instruction_set(&self) -> Isa;

    /// See [`crate::Kernels::arrange_rows`]. Most instruction sets keep rows in the order of the lanes.
    fn run_arrange_rows(&self, operands: ArrangeRowsOperands<'_>) {
        let ArrangeRowsOperands { lanes, rows, .. } = operands;
        let _ = (lanes, rows);
    }

    for_products!(declare!());
    for_vector_functions!(declare!());
}

macro_rules! names {
    ($($name:ident => $run:ident($operands:ident);)*) => {
        &[$(stringify!($name)),*]
    };
}

/// The names of all kernels: the methods of [`crate::Kernels`] that check operands and compute.
pub fn kernel_names() -> impl Iterator<Item = &'static str> {
    const PRODUCTS: &[&str] = for_products!(names!());
    const VECTOR_FUNCTIONS: &[&str] = for_vector_functions!(names!());
    ["arrange_rows"].iter().chain(PRODUCTS).chain(VECTOR_FUNCTIONS).copied()
}

/// Methods of [`Implementation`] by the functions of a module that take the token and the operands, for code that enables
/// features further inside, or needs none.
macro_rules! delegate {
    ($module:ident; $($name:ident => $run:ident($operands:ident);)*) => {$(
        fn $run(&self, operands: $crate::operands::$operands<'_>) {
            $module::$name(*self, operands);
        }
    )*};
}
pub(crate) use delegate;

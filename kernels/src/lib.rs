//! Block-sparse int8 kernels.
#![no_std]

//! What CPUID reports and the operating system saves. Works without std.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use core::sync::atomic::{AtomicU8, Ordering};

/// Registers that the operating system saves at a task switch: XMM and YMM (XCR0 bits 1 and 2).
const YMM_STATE: u64 = 0x06;
/// And the mask registers and all of ZMM (bits 5 to 7).
const ZMM_STATE: u64 = 0xe6;

/// What [`Features::detect`] found the first time, with [`KNOWN`]; 0 until then. In a virtual machine every CPUID leaves
/// for the hypervisor, and each new session asks for several instruction sets.
static FOUND: AtomicU8 = AtomicU8::new(0);
const KNOWN: u8 = 1 << 7;

/// The instruction sets that kernels need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// SSSE3 and SSE4.1.
    pub sse41: bool,
    /// AVX2 and F16C, with the YMM registers saved.
    pub avx2: bool,
    /// AVX-VNNI, beside all of `avx2`.
    pub avxvnni: bool,
    /// AVX-512 F, BW, VL and VNNI and BMI2, with the ZMM registers saved, beside all of `avx2`.
    pub avx512vnni: bool,
    /// AVX-512 BF16, beside all of `avx512vnni`.
    pub avx512bf16: bool,
}

impl Features {
    /// What this CPU has.
    pub(super) fn detect() -> Self {
        // Relaxed: whoever finds nothing here asks again and finds the same.
        match FOUND.load(Ordering::Relaxed) {
            0 => {
                let found = Self::ask();
                FOUND.store(found.to_bits() | KNOWN, Ordering::Relaxed);
                found
            }
            bits => Self::from_bits(bits),
        }
    }

    fn to_bits(self) -> u8 {
        let Self { sse41, avx2, avxvnni, avx512vnni, avx512bf16 } = self;
        let flags = [sse41, avx2, avxvnni, avx512vnni, avx512bf16];
        flags.into_iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(flag))
    }

    fn from_bits(bits: u8) -> Self {
        let [sse41, avx2, avxvnni, avx512vnni, avx512bf16] = core::array::from_fn(|i| bits >> i & 1 != 0);
        Self { sse41, avx2, avxvnni, avx512vnni, avx512bf16 }
    }

    /// Asks the CPU. Bit positions: Intel SDM volume 2A, table 3-8 of CPUID.
    fn ask() -> Self {
        let bit = |register: u32, bit: u32| register >> bit & 1 != 0;
        let most = __cpuid(0).eax;
        if most < 1 {
            return Self::default();
        }
        let basic = __cpuid(1);
        let sse41 = bit(basic.ecx, 9) && bit(basic.ecx, 19);
        let saves_registers = bit(basic.ecx, 27);
        if !saves_registers || most < 7 {
            return Self { sse41, ..Self::default() };
        }
        // SAFETY: OSXSAVE, just checked, says that XGETBV can be used.
        let saved = unsafe { saved_state() };
        let (extended, more) = (__cpuid_count(7, 0), __cpuid_count(7, 1));
        let more = if extended.eax >= 1 { more.eax } else { 0 };
        let avx2 = saved & YMM_STATE == YMM_STATE
            && bit(basic.ecx, 28)
            && bit(basic.ecx, 29)
            && bit(extended.ebx, 5)
            && sse41;
        let avx512 = [8, 16, 30, 31].into_iter().all(|i| bit(extended.ebx, i)) && bit(extended.ecx, 11);
        let avx512vnni = avx2 && saved & ZMM_STATE == ZMM_STATE && avx512;
        Self {
            sse41,
            avx2,
            avxvnni: avx2 && bit(more, 4),
            avx512vnni,
            avx512bf16: avx512vnni && bit(more, 5),
        }
    }
}

/// XCR0.
///
/// # Safety
/// The CPU must report OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn saved_state() -> u64 {
    // SAFETY: the caller vouches for XGETBV; register 0 is always there.
    unsafe { _xgetbv(0) }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::Features;

    #[test]
    fn what_was_found_is_found_again() {
        assert_eq!([Features::detect(), Features::detect()], [Features::ask(); 2]);
        for bits in 0..32 {
            assert_eq!(Features::from_bits(bits).to_bits(), bits);
        }
    }

    #[test]
    fn agrees_with_the_standard_library() {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("f16c") && has!("sse4.1") && has!("ssse3");
        let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni");
        let expected = Features {
            sse41: has!("sse4.1") && has!("ssse3"),
            avx2,
            avxvnni: avx2 && has!("avxvnni"),
            avx512vnni: avx2 && avx512 && has!("bmi2"),
            avx512bf16: avx2 && avx512 && has!("bmi2") && has!("avx512bf16"),
        };
        assert_eq!(Features::detect(), expected);
    }
}

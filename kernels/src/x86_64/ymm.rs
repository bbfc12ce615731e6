//! Vectors of 8 lanes: AVX2 and F16C, for the tokens of AVX2 and AVX-VNNI.

/// Implements [`crate::vector::Vector`] for a token that proves AVX2 and F16C.
macro_rules! ymm_vector {
    ($token:ty) => {
        impl $crate::vector::Vector for $token {
            const LANES: usize = 8;
            type F32 = __m256;
            type I32 = __m256i;
            type I16 = __m256i;

            #[inline(always)]
            unsafe fn load(self, from: *const f32) -> __m256 {
                // SAFETY: the caller vouches for the memory, the token for the instruction.
                unsafe { _mm256_loadu_ps(from) }
            }

            #[inline(always)]
            unsafe fn store(self, x: __m256, to: *mut f32) {
                // SAFETY: as for `load`.
                unsafe { _mm256_storeu_ps(to, x) }
            }

            #[inline(always)]
            unsafe fn load_i32(self, from: *const i32) -> __m256i {
                // SAFETY: as for `load`.
                unsafe { _mm256_loadu_si256(from.cast()) }
            }

            #[inline(always)]
            unsafe fn store_i32(self, x: __m256i, to: *mut i32) {
                // SAFETY: as for `load`.
                unsafe { _mm256_storeu_si256(to.cast(), x) }
            }

            #[inline(always)]
            unsafe fn load_i8(self, from: *const i8) -> __m256i {
                // SAFETY: as for `load`; `loadl_epi64` reads 8 bytes.
                unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) }
            }

            #[inline(always)]
            unsafe fn load_f16(self, from: *const u16) -> __m256 {
                // SAFETY: as for `load`.
                unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
            }

            #[inline(always)]
            unsafe fn store_bytes(self, x: __m256i, to: *mut i8) {
                // SAFETY: as for `load`; `storel_epi64` writes 8 bytes.
                unsafe {
                    let bytes = _mm256_shuffle_epi8(x, _mm256_set1_epi32(0x0c08_0400));
                    let (low, high) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
                    _mm_storel_epi64(to.cast(), _mm_unpacklo_epi32(low, high));
                }
            }

            #[inline(always)]
            unsafe fn store_bytes4(self, x: [__m256i; 4], to: *mut i8) {
                // SAFETY: as for `load`. Values of 0 to 255 survive packing with saturation. It works inside blocks of
                // 128 bits, so that groups of 4 bytes have to be put in order.
                unsafe {
                    let low_byte = |x| _mm256_and_si256(x, _mm256_set1_epi32(0xff));
                    let [a, b, c, d] = [low_byte(x[0]), low_byte(x[1]), low_byte(x[2]), low_byte(x[3])];
                    let bytes = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
                    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
                    _mm256_storeu_si256(to.cast(), _mm256_permutevar8x32_epi32(bytes, order));
                }
            }

            #[inline(always)]
            unsafe fn load_i16(self, from: *const i16) -> __m256i {
                // SAFETY: as for `load`.
                unsafe { _mm256_loadu_si256(from.cast()) }
            }

            #[inline(always)]
            unsafe fn store_i16(self, x: __m256i, to: *mut i16) {
                // SAFETY: as for `load`.
                unsafe { _mm256_storeu_si256(to.cast(), x) }
            }

            #[inline(always)]
            fn to_score(self, a: __m256, b: __m256) -> __m256i {
                // What is below −32,768 becomes that: out of the range of 32 bits it is the smallest integer, and packing
                // saturates.
                // SAFETY: the token proves the instructions, as in all methods below.
                unsafe {
                    let most = _mm256_set1_ps(32_767.0);
                    let (a, b) = (_mm256_min_ps(a, most), _mm256_min_ps(b, most));
                    _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b))
                }
            }

            #[inline(always)]
            fn exp2_score(self, steps: __m256i, dither: __m256i) -> __m256i {
                // SAFETY: as in `to_score`.
                unsafe {
                    let [c0, c1, c2] = $crate::math::MANTISSA.map(|c| _mm256_set1_epi16(c as i16));
                    let r = _mm256_and_si256(steps, _mm256_set1_epi16(31));
                    let slope = _mm256_sub_epi16(c1, _mm256_mullo_epi16(r, c2));
                    let mantissa = _mm256_sub_epi16(c0, _mm256_mullo_epi16(r, slope));
                    // A shift by `octaves + 1` is a multiplication by 2^(15 − octaves), which a table has: its first half gives
                    // the high byte, and through an index that is 8 further on (modulo 16) its second half the low one.
                    let octaves = _mm256_min_epu16(_mm256_srli_epi16::<5>(steps), _mm256_set1_epi16(15));
                    let index = _mm256_add_epi16(
                        _mm256_mullo_epi16(octaves, _mm256_set1_epi16(0x101)),
                        _mm256_set1_epi16(8),
                    );
                    let powers = _mm_setr_epi8(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
                    let power = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(powers), index);
                    _mm256_srli_epi16::<7>(_mm256_add_epi16(_mm256_mulhi_epu16(mantissa, power), dither))
                }
            }

            #[inline(always)]
            fn quads_i16(self, [a, b, c, d]: [__m256i; 4]) -> [__m256i; 2] {
                // SAFETY: as in `to_score`.
                unsafe {
                    let ab = _mm256_or_si256(a, _mm256_slli_epi16::<8>(b));
                    let cd = _mm256_or_si256(c, _mm256_slli_epi16::<8>(d));
                    [_mm256_unpacklo_epi16(ab, cd), _mm256_unpackhi_epi16(ab, cd)]
                }
            }

            #[inline(always)]
            fn add_bytes(self, sum: __m256i, quads: __m256i) -> __m256i {
                // SAFETY: as in `to_score`.
                unsafe {
                    let pairs = _mm256_maddubs_epi16(quads, _mm256_set1_epi8(1));
                    _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
                }
            }

            #[inline(always)]
            unsafe fn load_blocks(self, from: *const f32, stride: usize) -> __m256 {
                // SAFETY: as for `load`, block by block.
                unsafe {
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(from));
                    _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from.add(stride)))
                }
            }

            #[inline(always)]
            unsafe fn store_blocks(self, x: __m256i, to: *mut i8, stride: usize) {
                // SAFETY: as for `load`, block by block.
                unsafe {
                    _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(x));
                    _mm_storeu_si128(to.add(stride).cast(), _mm256_extracti128_si256::<1>(x));
                }
            }

            #[inline(always)]
            fn transpose4(self, [a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
                // SAFETY: the token proves the instructions, as in all methods below.
                unsafe {
                    let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
                    let (low2, high2) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
                    [
                        _mm256_unpacklo_epi64(low, low2),
                        _mm256_unpackhi_epi64(low, low2),
                        _mm256_unpacklo_epi64(high, high2),
                        _mm256_unpackhi_epi64(high, high2),
                    ]
                }
            }

            #[inline(always)]
            fn select_less(self, a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
                // SAFETY: as in `transpose4`.
                unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
            }

            #[inline(always)]
            fn shl<const N: u32>(self, a: __m256i) -> __m256i {
                // SAFETY: as in `transpose4`.
                unsafe { _mm256_sll_epi32(a, _mm_cvtsi32_si128(N as i32)) }
            }

            $crate::vector::vector_operations! {
                fn splat(x: f32) -> __m256 = _mm256_set1_ps;
                fn splat_i32(x: i32) -> __m256i = _mm256_set1_epi32;
                fn add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps;
                fn sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps;
                fn mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps;
                fn div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps;
                fn sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps;
                fn max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps;
                fn min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps;
                fn to_f32(a: __m256i) -> __m256 = _mm256_cvtepi32_ps;
                fn to_bits(a: __m256) -> __m256i = _mm256_castps_si256;
                fn with_bits(a: __m256i) -> __m256 = _mm256_castsi256_ps;
                fn add_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32;
                fn mul_i32(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi32;
                fn splat_i16(x: i16) -> __m256i = _mm256_set1_epi16;
                fn sub_i16(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi16;
                fn max_i16(a: __m256i, b: __m256i) -> __m256i = _mm256_max_epi16;
                fn and(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256;
                fn or(a: __m256i, b: __m256i) -> __m256i = _mm256_or_si256;
            }
        }
    };
}
pub(super) use ymm_vector;

/// The methods of [`super::products256::Dot`] that do not multiply, for a token that proves AVX2.
macro_rules! ymm_shuffles {
    () => {
        #[inline(always)]
        fn blocks_in_order(self, [a, b]: [__m256i; 2]) -> [__m256i; 2] {
            // SAFETY: the token proves the instructions, as in all methods below.
            unsafe { [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)] }
        }

        #[inline(always)]
        fn first_block(self, x: __m256i) -> __m256i {
            // SAFETY: as in `blocks_in_order`.
            unsafe { _mm256_zextsi128_si256(_mm256_castsi256_si128(x)) }
        }

        #[inline(always)]
        unsafe fn load_halves(self, from: *const i8, second: *const i8) -> __m256i {
            // SAFETY: the caller vouches for the memory, the token for the instructions.
            unsafe {
                let low = _mm256_castsi128_si256(_mm_loadu_si128(from.cast()));
                _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(second.cast()))
            }
        }

        #[inline(always)]
        fn spread<const I: i32>(self, x: __m256i) -> __m256i {
            // SAFETY: as in `blocks_in_order`.
            unsafe { _mm256_shuffle_epi32::<I>(x) }
        }

        #[inline(always)]
        unsafe fn four_quads(self, from: *const i8) -> [__m256i; 4] {
            // Broadcasts from memory need no shuffle.
            // SAFETY: as for `load_halves`, 4 of the 16 bytes each.
            unsafe {
                let quad = |i: usize| from.add(4 * i).cast::<i32>().read_unaligned();
                [
                    _mm256_set1_epi32(quad(0)),
                    _mm256_set1_epi32(quad(1)),
                    _mm256_set1_epi32(quad(2)),
                    _mm256_set1_epi32(quad(3)),
                ]
            }
        }

        $crate::vector::vector_operations! {
            fn unpack_low_bytes(a: __m256i, b: __m256i) -> __m256i = _mm256_unpacklo_epi8;
            fn unpack_high_bytes(a: __m256i, b: __m256i) -> __m256i = _mm256_unpackhi_epi8;
            fn unpack_low_pairs(a: __m256i, b: __m256i) -> __m256i = _mm256_unpacklo_epi16;
            fn unpack_high_pairs(a: __m256i, b: __m256i) -> __m256i = _mm256_unpackhi_epi16;
        }
    };
}
pub(super) use ymm_shuffles;

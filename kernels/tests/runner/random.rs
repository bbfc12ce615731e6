//! A small generator (xorshift64*), so that every run sees the same cases.

use alloc::vec::Vec;

/// The generator.
pub struct Random(u64);

impl Random {
    /// Seeded; any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// Uniform in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Uniform in [−1, 1).
    pub fn unit(&mut self) -> f32 {
        (self.bits() & 0xff_ffff) as f32 / 8_388_608.0 - 1.0
    }

    /// `n` values of `f`.
    pub fn many<T>(&mut self, n: usize, mut f: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..n).map(|_| f(self)).collect()
    }

    /// `n` floats of the kind.
    pub fn floats(&mut self, n: usize, kind: Floats) -> Vec<f32> {
        self.many(n, |r| kind.draw(r))
    }
}

/// What floats to draw.
#[derive(Clone, Copy, Debug)]
pub enum Floats {
    /// A bell around 0, of about this width.
    Bell(f32),
    /// Halves of integers: every rounding is a tie.
    Ties,
    /// Denormals and zeros of both signs.
    Denormal,
    /// Any bits: NaNs, infinities, everything.
    AnyBits,
    /// Mostly 0 with a few huge values.
    Spikes,
    /// The same everywhere.
    Constant(f32),
}

impl Floats {
    /// One of each.
    pub const ALL: [Floats; 10] = [
        Floats::Bell(1.0),
        Floats::Bell(30.0),
        Floats::Bell(1e30),
        Floats::Ties,
        Floats::Denormal,
        Floats::AnyBits,
        Floats::Spikes,
        Floats::Constant(0.0),
        Floats::Constant(-0.0),
        Floats::Constant(-3.5),
    ];

    /// One value.
    pub fn draw(self, random: &mut Random) -> f32 {
        match self {
            Floats::Bell(width) => (random.unit() + random.unit() + random.unit()) * width,
            Floats::Ties => (random.below(512) as f32 - 256.0) * 0.5,
            Floats::Denormal => {
                f32::from_bits((random.bits() as u32 & 0x8000_0000) | random.below(0x80_0000) as u32)
            }
            Floats::AnyBits => f32::from_bits(random.bits() as u32),
            Floats::Spikes => {
                if random.below(100) == 0 {
                    random.unit() * 1e20
                } else {
                    0.0
                }
            }
            Floats::Constant(x) => x,
        }
    }
}

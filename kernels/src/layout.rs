//! Activations: feature-major inside tiles of tokens.
//!
//! A sequence of `n` tokens is cut into tiles of [`TILE`] tokens; a last tile of at most 16, 32 or 48 tokens is 16, 32
//! or 48 lanes wide, so that a short input does not pay for a whole tile. A buffer with `features` values per token
//! is `x[tile][feature][lane]`: all features of a tile are contiguous, and since only the last tile may be
//! narrower, tile `t` starts at element `t · TILE · features`.
//!
//! Three layouts of int8 inside a tile:
//!
//! * *rows*, `[feature][lane]`, those of 48 lanes 64 bytes apart ([`row_lanes`]): what the output-block product gathers.
//!   An instruction set may keep the bytes of a row in an order and with an offset of its own; see
//!   [`crate::Kernels::arrange_rows`];
//! * *quads*, `[feature / 4][lane][4]`: what the input-block and the dense products read;
//! * *tokens*, `[lane][feature]`: keys as the rows of the dense product.

/// Tokens of a full tile: one cache line of int8.
pub const TILE: usize = 64;

/// Lanes of a row of int8 in a tile of `lanes` tokens: those of 48 are spread over a vector of 512 bits, so that
/// interleaving four rows gives three full vectors and an empty one. What is in the places that are left means nothing.
pub const fn row_lanes(lanes: usize) -> usize {
    if lanes == 48 { TILE } else { lanes }
}

/// Lanes of a row of attention scores for a tile of `lanes` queries: 16-bit scores fill a vector of 512 bits with 32.
pub const fn score_lanes(lanes: usize) -> usize {
    if lanes <= 32 { 32 } else { TILE }
}

/// The tiles of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTiles {
    tokens: usize,
}

impl TokenTiles {
    /// The tiles of a sequence of `tokens` tokens.
    pub const fn new(tokens: usize) -> Self {
        Self { tokens }
    }

    /// Tokens, without padding.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Number of tiles.
    pub const fn count(&self) -> usize {
        self.tokens.div_ceil(TILE)
    }

    /// The tiles of int8 rows, whose lanes are [`row_lanes`]: those of a sequence with as many lanes.
    pub const fn of_rows(self) -> Self {
        match self.count() {
            0 => self,
            count => {
                let whole = (count - 1).saturating_mul(TILE);
                Self { tokens: whole.saturating_add(row_lanes(self.lanes(count - 1))) }
            }
        }
    }

    /// Lanes of a tile, 16, 32, 48 or 64; 0 past the last tile.
    pub const fn lanes(&self, tile: usize) -> usize {
        match self.tokens.saturating_sub(tile.saturating_mul(TILE)) {
            0 => 0,
            1..=16 => 16,
            17..=32 => 32,
            33..=48 => 48,
            _ => TILE,
        }
    }

    /// Tokens in a tile, at most its lanes.
    pub const fn tokens_in(&self, tile: usize) -> usize {
        let rest = self.tokens.saturating_sub(tile.saturating_mul(TILE));
        if rest < TILE { rest } else { TILE }
    }

    /// Lanes of all tiles together; `usize::MAX`, which no slice reaches, if they exceed it.
    pub const fn padded(&self) -> usize {
        match self.count() {
            0 => 0,
            count => (count - 1).saturating_mul(TILE).saturating_add(self.lanes(count - 1)),
        }
    }

    /// First element of a tile in a buffer with `features` values per token; the buffer's length for
    /// `tile == count()`; `usize::MAX`, which no slice reaches, if it exceeds that.
    pub const fn offset(&self, tile: usize, features: usize) -> usize {
        let lanes = if tile < self.count() { tile.saturating_mul(TILE) } else { self.padded() };
        lanes.saturating_mul(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_tile_is_as_narrow_as_it_can_be() {
        for (tokens, count, last, padded) in [
            (0, 0, 0, 0),
            (1, 1, 16, 16),
            (16, 1, 16, 16),
            (17, 1, 32, 32),
            (33, 1, 48, 48),
            (48, 1, 48, 48),
            (49, 1, 64, 64),
            (64, 1, 64, 64),
            (65, 2, 16, 80),
            (112, 2, 48, 112),
            (384, 6, 64, 384),
        ] {
            let tiles = TokenTiles::new(tokens);
            assert_eq!((tiles.count(), tiles.padded()), (count, padded), "{tokens} tokens");
            assert_eq!(tiles.lanes(count.wrapping_sub(1)), last, "{tokens} tokens");
            assert_eq!(tiles.offset(count, 3), 3 * padded);
            assert_eq!((0..count).map(|t| tiles.tokens_in(t)).sum::<usize>(), tokens);
            let rows = tiles.of_rows();
            assert_eq!(
                (rows.count(), rows.padded()),
                (count, padded - last + row_lanes(last)),
                "{tokens} tokens"
            );
            assert!((0..count).all(|t| rows.lanes(t) == row_lanes(tiles.lanes(t))), "{tokens} tokens");
        }
    }

    /// They wrapped around once, to the length of a buffer that is too short.
    #[test]
    fn lengths_that_exceed_usize_are_longer_than_any_slice() {
        for tokens in [usize::MAX, usize::MAX - 1, usize::MAX - TILE] {
            let tiles = TokenTiles::new(tokens);
            assert!(tiles.padded() >= tokens, "{tokens}");
            assert!(tiles.of_rows().tokens() >= tokens, "{tokens}");
            assert_eq!(tiles.offset(tiles.count(), 2), usize::MAX, "{tokens}");
            assert_eq!(tiles.tokens_in(tiles.count()), 0);
        }
        // 2^(bits − 6) features of 64 lanes are 2^bits.
        let features = 1 << (usize::BITS - 6);
        assert_eq!(TokenTiles::new(64).offset(1, features), usize::MAX);
        assert_eq!(TokenTiles::new(130).offset(2, features / 2), usize::MAX);
    }
}

//! What a page draws, as far as it is text: the operators of ISO 32000-1, 9.3 and 9.4, and those that move it.

use anyhow::{Result, bail};
use hayro_font::hayro_cmap::BfString;
use hayro_font::hayro_syntax::content::TypedIter;
use hayro_font::hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_font::hayro_syntax::object::dict::keys::{CONTENTS, MATRIX, RESOURCES, SUBTYPE};
use hayro_font::hayro_syntax::object::{Array, Name, Number, Object, Stream};
use hayro_font::hayro_syntax::page::{Page, Resources};
use hayro_font::kurbo::Affine;
use hayro_font::{CMapResolverFn, Font, FontCache, FontGlyph, FontQuery, FontResolverFn, StandardFont};

use super::lines::Lines;

/// Forms within forms, and states that are kept, at most.
const MAX_DEPTH: usize = 16;
const MAX_STATES: usize = 256;

/// Forms that a document draws, at most: those that draw each other can be a small file and yet take for ever.
const MAX_FORMS: usize = 1_000_000;

/// Bytes that a page draws, at most; a map has some millions.
const MAX_CONTENT: usize = 128 << 20;

/// Units of a font's widths in the size of its letters.
const EM: f64 = 1000.0;

/// Reads the pages of a document.
pub struct Pages<'a> {
    fonts: FontCache<'a>,
    find_font: FontResolverFn,
    find_cmap: CMapResolverFn,
    /// Forms that may still be drawn.
    forms: usize,
    /// Bytes of text that a page may still have.
    room: usize,
}

/// The state that `q` keeps, as far as text needs it.
#[derive(Clone)]
struct State<'a> {
    place: Affine,
    font: Option<Font<'a>>,
    size: f64,
    char_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

impl<'a> Pages<'a> {
    /// For pages whose text may be `room` bytes altogether.
    pub fn new(room: usize) -> Self {
        Self {
            fonts: FontCache::new(),
            // Only the widths of letters are wanted, which come with the names of the standard fonts.
            find_font: std::sync::Arc::new(|query| match query {
                FontQuery::Standard(font) => Some(font.get_font_data()),
                FontQuery::Fallback(font) => Some(font.pick_standard_font().get_font_data()),
            }),
            find_cmap: std::sync::Arc::new(|_| None),
            forms: MAX_FORMS,
            room,
        }
    }

    /// The text of a page.
    pub fn text(&mut self, page: &Page<'a>) -> Result<String> {
        let mut lines = Lines::default();
        let state = State {
            place: Affine::IDENTITY,
            font: None,
            size: 0.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        self.content(&content_of(page)?, page.resources(), state, 0, &mut lines)?;
        let text = lines.into_text();
        self.room -= text.len().min(self.room);
        Ok(text)
    }

    /// Reads a page's content, or a form's.
    fn content(
        &mut self,
        content: &[u8],
        resources: &Resources<'a>,
        mut state: State<'a>,
        depth: usize,
        lines: &mut Lines,
    ) -> Result<()> {
        let mut kept = Vec::new();
        // Of the text, and of its line.
        let (mut place, mut line) = (Affine::IDENTITY, Affine::IDENTITY);
        let mut ops = TypedIter::new(content);
        while let Some(op) = ops.next() {
            if lines.len() > self.room {
                bail!("has more text than {} MiB; split it", super::MAX_TEXT >> 20);
            }
            let next = |line: &mut Affine, x: f64, y: f64| {
                *line *= Affine::translate((x, y));
                *line
            };
            match op {
                Op::SaveState(_) if kept.len() < MAX_STATES => kept.push(state.clone()),
                Op::RestoreState(_) => state = kept.pop().unwrap_or(state),
                Op::Transform(m) => state.place *= affine([m.0, m.1, m.2, m.3, m.4, m.5]),
                Op::BeginText(_) => (place, line) = (Affine::IDENTITY, Affine::IDENTITY),
                Op::SetTextMatrix(m) => {
                    line = affine([m.0, m.1, m.2, m.3, m.4, m.5]);
                    place = line;
                }
                Op::TextFont(font) => {
                    state.font = match resources.get_font(font.0) {
                        Some(dict) => self.fonts.font(&dict, &self.find_font, &self.find_cmap),
                        None => self.fonts.standard_font(StandardFont::Helvetica, &self.find_font),
                    };
                    state.size = font.1.as_f64();
                }
                Op::CharacterSpacing(space) => state.char_space = space.0.as_f64(),
                Op::WordSpacing(space) => state.word_space = space.0.as_f64(),
                Op::HorizontalScaling(percent) => state.stretch = percent.0.as_f64() / 100.0,
                Op::TextLeading(leading) => state.leading = leading.0.as_f64(),
                Op::TextRise(rise) => state.rise = rise.0.as_f64(),
                Op::NextLine(by) => place = next(&mut line, by.0.as_f64(), by.1.as_f64()),
                Op::NextLineAndSetLeading(by) => {
                    state.leading = -by.1.as_f64();
                    place = next(&mut line, by.0.as_f64(), by.1.as_f64());
                }
                Op::NextLineUsingLeading(_) => place = next(&mut line, 0.0, -state.leading),
                Op::ShowText(shown) => state.show(shown.0.as_bytes(), &mut place, lines),
                Op::NextLineAndShowText(shown) => {
                    place = next(&mut line, 0.0, -state.leading);
                    state.show(shown.0.as_bytes(), &mut place, lines);
                }
                Op::ShowTextWithParameters(shown) => {
                    (state.word_space, state.char_space) = (shown.0.as_f64(), shown.1.as_f64());
                    place = next(&mut line, 0.0, -state.leading);
                    state.show(shown.2.as_bytes(), &mut place, lines);
                }
                Op::ShowTexts(shown) => state.show_all(shown.0, &mut place, lines),
                Op::XObject(form) if depth < MAX_DEPTH => {
                    if let Some(form) = resources.get_x_object(form.0) {
                        self.form(&form, resources, state.clone(), depth, lines)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a form; an image is passed over.
    fn form(
        &mut self,
        form: &Stream<'a>,
        resources: &Resources<'a>,
        mut state: State<'a>,
        depth: usize,
        lines: &mut Lines,
    ) -> Result<()> {
        let dict = form.dict();
        if dict.get::<Name<'_>>(SUBTYPE).is_none_or(|kind| kind.as_ref() != b"Form") {
            return Ok(());
        }
        let Some(forms) = self.forms.checked_sub(1) else {
            bail!("the PDF draws more than {MAX_FORMS} forms; print it anew");
        };
        self.forms = forms;
        let Ok(content) = form.decoded_data() else { return Ok(()) };
        let own = dict.get(RESOURCES).map(Resources::new);
        state.place *= Affine::new(dict.get(MATRIX).unwrap_or([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
        self.content(&content, own.as_ref().unwrap_or(resources), state, depth + 1, lines)
    }
}

impl State<'_> {
    /// Draws a string, and moves on behind it.
    fn show(&self, bytes: &[u8], place: &mut Affine, lines: &mut Lines) {
        let Some(font) = &self.font else { return };
        let mut at = 0;
        while at < bytes.len() {
            let (code, len) = font.read_code(bytes, at);
            at += len.max(1);
            let advance = font.code_advance(code) / EM;
            let letters = match font.glyph(font.map_code(code), code) {
                FontGlyph::Outline(glyph) => glyph.as_unicode(),
                FontGlyph::Type3(glyph) => glyph.as_unicode(),
            };
            let origin = font.origin_displacement(code) / EM;
            let own = Affine::new([self.size * self.stretch, 0.0, 0.0, self.size, 0.0, self.rise]);
            let drawn = self.place * *place * own * Affine::translate(origin);
            match letters {
                Some(BfString::Char(c)) => lines.add(c.encode_utf8(&mut [0; 4]), drawn, advance.x),
                Some(BfString::String(letters)) => lines.add(&letters, drawn, advance.x),
                None => {}
            }
            let space = self.char_space + if len == 1 && code == 32 { self.word_space } else { 0.0 };
            *place *= if font.is_horizontal() {
                Affine::translate(((advance.x * self.size + space) * self.stretch, 0.0))
            } else {
                Affine::translate((0.0, advance.y * self.size + space))
            };
        }
    }

    /// Draws strings, and between them moves by thousandths of the letters' size.
    fn show_all(&self, shown: &Array<'_>, place: &mut Affine, lines: &mut Lines) {
        for part in shown.iter::<Object<'_>>() {
            match part {
                Object::String(bytes) => self.show(bytes.as_bytes(), place, lines),
                Object::Number(by) => {
                    let by = -by.as_f64() / EM * self.size;
                    *place *= match self.font.as_ref().is_none_or(Font::is_horizontal) {
                        true => Affine::translate((by * self.stretch, 0.0)),
                        false => Affine::translate((0.0, by)),
                    };
                }
                _ => {}
            }
        }
    }
}

/// What a page draws. (The crate's own method keeps it with the page, and so that of all pages.)
fn content_of(page: &Page<'_>) -> Result<Vec<u8>> {
    let streams = match page.raw().get::<Object<'_>>(CONTENTS) {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(streams)) => streams.iter::<Stream<'_>>().collect(),
        _ => Vec::new(),
    };
    let mut content = Vec::new();
    for stream in streams {
        let Ok(decoded) = stream.decoded_data() else { continue };
        if content.len() + decoded.len() > MAX_CONTENT {
            bail!("a page of the PDF draws more than {} MiB; print it anew", MAX_CONTENT >> 20);
        }
        content.extend_from_slice(&decoded);
        // A number does not go on in the next stream.
        content.push(b' ');
    }
    Ok(content)
}

fn affine(numbers: [Number; 6]) -> Affine {
    Affine::new(numbers.map(|number| number.as_f64()))
}

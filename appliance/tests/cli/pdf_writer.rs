//! Small PDF files, as much of the format as the tests need.

/// A file that is being made: the body of each object, from 1.
#[derive(Default)]
pub struct Pdf {
    objects: Vec<Vec<u8>>,
    /// What the trailer has besides its root and size.
    pub trailer: String,
}

/// Helvetica, in the encoding of Windows.
pub const HELVETICA: &str =
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";

impl Pdf {
    /// Without pages: object 1 is the catalog, 2 the page tree, 3 Helvetica.
    pub fn new() -> Self {
        let mut pdf = Self::default();
        pdf.add(b"<< /Type /Catalog /Pages 2 0 R >>");
        pdf.add(b"");
        pdf.add(HELVETICA.as_bytes());
        pdf
    }

    /// With a page for each text, whose lines are below each other, in streams that are not compressed.
    pub fn of_pages(pages: &[&str]) -> Self {
        let mut pdf = Self::new();
        let numbers: Vec<usize> = pages.iter().map(|text| pdf.page(&stream("", &drawn(text)))).collect();
        pdf.pages(&numbers);
        pdf
    }

    /// Adds an object; its number.
    pub fn add(&mut self, body: &[u8]) -> usize {
        self.objects.push(body.to_vec());
        self.objects.len()
    }

    /// Changes an object.
    pub fn set(&mut self, number: usize, body: &[u8]) {
        self.objects[number - 1] = body.to_vec();
    }

    /// Adds a page with a stream as its content, which may use Helvetica as F1, and as F2 and X1 the objects behind it.
    pub fn page(&mut self, content: &[u8]) -> usize {
        let content = self.add(content);
        let (font, form) = (content + 2, content + 3);
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R /Resources << /Font << /F1 3 0 R \
             /F2 {font} 0 R >> /XObject << /X1 {form} 0 R >> >> >>"
        );
        self.add(page.as_bytes())
    }

    /// Makes these the pages.
    pub fn pages(&mut self, numbers: &[usize]) {
        let kids: Vec<String> = numbers.iter().map(|number| format!("{number} 0 R")).collect();
        let tree = format!("<< /Type /Pages /Count {} /Kids [{}] >>", numbers.len(), kids.join(" "));
        self.set(2, tree.as_bytes());
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let (mut file, mut table) = (b"%PDF-1.7\n".to_vec(), String::from("0000000000 65535 f \n"));
        for (number, body) in (1..).zip(&self.objects) {
            table += &format!("{:010} 00000 n \n", file.len());
            file.extend(
                format!("{number} 0 obj\n").bytes().chain(body.iter().copied()).chain(*b"\nendobj\n"),
            );
        }
        let (start, size) = (file.len(), self.objects.len() + 1);
        let trailer = &self.trailer;
        file.extend(
            format!("xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\n").bytes(),
        );
        file.extend(format!("startxref\n{start}\n%%EOF\n").bytes());
        file
    }
}

/// A stream; what its dictionary has besides the length.
pub fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< {dictionary} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// Operators that draw the lines of a text in Helvetica.
pub fn drawn(text: &str) -> Vec<u8> {
    let mut out = b"BT /F1 12 Tf 14 TL 72 770 Td\n".to_vec();
    for line in text.lines() {
        let escaped = line.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
        out.push(b'(');
        // Latin-1, which is that of Windows as far as it goes.
        out.extend(escaped.chars().map(|c| u8::try_from(u32::from(c)).expect("a letter of Latin-1")));
        out.extend_from_slice(b") Tj T*\n");
    }
    out.extend_from_slice(b"ET");
    out
}

/// Bytes as zlib has them (RFC 1950, 1951), in stored blocks.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 1];
    let blocks = bytes.chunks(0xffff).count();
    for (number, block) in (1..).zip(bytes.chunks(0xffff)) {
        let len = block.len() as u16;
        out.push(u8::from(number == blocks));
        out.extend(len.to_le_bytes().into_iter().chain((!len).to_le_bytes()).chain(block.iter().copied()));
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// So many times 258 spaces as zlib has them: each is a copy of what stands a byte before, in 13 bits.
pub fn spaces(times: usize) -> Vec<u8> {
    let (mut out, mut kept, mut bits) = (vec![0x78, 1], 0u64, 0);
    let mut put = |value: u64, width: u32| {
        kept |= value << bits;
        bits += width;
        while bits >= 8 {
            out.push(kept as u8);
            (kept, bits) = (kept >> 8, bits - 8);
        }
    };
    // The last block, with the codes of the standard; the codes themselves begin with their highest bit.
    let code = |value: u64, width: u32| value.reverse_bits() >> (64 - width);
    put(0b011, 3);
    put(code(0x30 + u64::from(b' '), 8), 8);
    for _ in 0..times {
        put(code(0b1100_0101, 8), 8);
        put(0, 5);
    }
    put(0, 7 + 7);
    out
}

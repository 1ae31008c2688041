//! Stored JSON, read in place: finding one member builds no tree. Nothing here fails: damaged text holds
//! nothing, so that one bad value never ends a scan. Strings are WTF-8, since JavaScript's may hold lone
//! surrogates; the order of their bytes is the order of code points.

use std::borrow::Cow;

/// Deeper text holds nothing: values nest at most 100 deep, an append puts them one deeper, and a map or an
/// error is three levels of JSON.
const MAX_DEPTH: usize = 400;

/// A value as JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string, unescaped.
    String(Cow<'a, [u8]>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object's members, in their order.
    Object(Vec<(Cow<'a, [u8]>, Json<'a>)>),
}

/// The value of a whole text.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Json<'_>> {
    parse_within(text, MAX_DEPTH)
}

/// The value of a whole text that nests at most so deep.
#[must_use]
pub fn parse_within(text: &[u8], max_depth: usize) -> Option<Json<'_>> {
    let mut reader = Reader { text, at: 0, max_depth };
    let value = reader.value(0)?;
    reader.blank();
    (reader.at == text.len()).then_some(value)
}

/// The text of an object's member; `None` also if the text is no object.
#[must_use]
pub fn member<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut reader = Reader { text, at: 0, max_depth: MAX_DEPTH };
    reader.expect(b'{')?;
    if reader.eat(b'}') {
        return None;
    }
    loop {
        let found = reader.name_is(name)?;
        reader.expect(b':')?;
        let value = reader.skipped()?;
        if found {
            return Some(value);
        }
        if !reader.eat(b',') {
            return None;
        }
    }
}

/// The text of an array's element.
#[must_use]
pub fn element(text: &[u8], index: usize) -> Option<&[u8]> {
    let mut reader = Reader { text, at: 0, max_depth: MAX_DEPTH };
    reader.expect(b'[')?;
    if reader.eat(b']') {
        return None;
    }
    for _ in 0..index {
        reader.skip(0)?;
        reader.expect(b',')?;
    }
    reader.skipped()
}

/// Whether a test holds for each object that has a member of this name; the inside of such an object is not
/// searched. False also if the text is damaged.
pub fn every_with(text: &[u8], name: &[u8], test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let mut reader = Reader { text, at: 0, max_depth: MAX_DEPTH };
    reader.every_with(name, test).is_some()
}

/// The texts of an array's elements; `None` if the text is no array.
#[must_use]
pub fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader { text, at: 0, max_depth: MAX_DEPTH };
    reader.expect(b'[')?;
    let mut elements = Vec::new();
    if reader.eat(b']') {
        return Some(elements);
    }
    loop {
        elements.push(reader.skipped()?);
        if !reader.eat(b',') {
            return reader.expect(b']').map(|()| elements);
        }
    }
}

/// A member of an object where it lies.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The name's text, with its quotes.
    pub name_text: &'a [u8],
    /// The name.
    pub name: Cow<'a, [u8]>,
    /// The value's text.
    pub value: &'a [u8],
}

/// An object's members; `None` if the text is no object.
#[must_use]
pub fn members(text: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut reader = Reader { text, at: 0, max_depth: MAX_DEPTH };
    reader.expect(b'{')?;
    let mut members = Vec::new();
    if reader.eat(b'}') {
        return Some(members);
    }
    loop {
        reader.blank();
        let from = reader.at;
        if reader.peek()? != b'"' {
            return None;
        }
        let name = reader.string()?;
        let name_text = text.get(from..reader.at)?;
        reader.expect(b':')?;
        members.push(Member { name_text, name, value: reader.skipped()? });
        if !reader.eat(b',') {
            return reader.expect(b'}').map(|()| members);
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    max_depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.blank();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        rest.starts_with(word).then(|| self.at += word.len())
    }

    /// The text of the value that comes, without reading it.
    fn skipped(&mut self) -> Option<&'a [u8]> {
        self.blank();
        let from = self.at;
        self.skip(0)?;
        self.text.get(from..self.at)
    }

    fn skip(&mut self, depth: usize) -> Option<()> {
        self.blank();
        match self.peek()? {
            b'"' => self.raw_string().map(drop),
            b'{' | b'[' => self.skip_nested(depth),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number_text().map(drop),
        }
    }

    /// Brackets are counted, whatever their kind; the text between them is checked when it is read.
    fn skip_nested(&mut self, depth: usize) -> Option<()> {
        let mut open = depth;
        loop {
            match self.peek()? {
                b'"' => drop(self.raw_string()?),
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                    if open == depth {
                        return Some(());
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// The text between the quotes, and whether it holds an escape.
    fn raw_string(&mut self) -> Option<(&'a [u8], bool)> {
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let raw = self.text.get(from..self.at)?;
        self.at += 1;
        Some((raw, escaped))
    }

    fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let (raw, escaped) = self.raw_string()?;
        if escaped { unescape(raw).map(Cow::Owned) } else { Some(Cow::Borrowed(raw)) }
    }

    fn name_is(&mut self, name: &[u8]) -> Option<bool> {
        self.blank();
        if self.peek()? != b'"' {
            return None;
        }
        let (raw, escaped) = self.raw_string()?;
        Some(if escaped { unescape(raw)? == name } else { raw == name })
    }

    fn number_text(&mut self) -> Option<&'a str> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let digits = self.text.get(from..self.at).filter(|digits| !digits.is_empty())?;
        std::str::from_utf8(digits).ok()
    }

    /// `None` as soon as the test does not hold of one.
    fn every_with(&mut self, name: &[u8], test: &mut dyn FnMut(&[u8]) -> bool) -> Option<()> {
        self.blank();
        let from = self.at;
        let end = match self.peek()? {
            b'{' => b'}',
            b'[' => b']',
            _ => return self.skip(0),
        };
        self.at += 1;
        if self.eat(end) {
            return Some(());
        }
        loop {
            if end == b'}' {
                if self.name_is(name)? {
                    self.at = from;
                    return self.skipped().filter(|object| test(object)).map(drop);
                }
                self.expect(b':')?;
            }
            self.every_with(name, test)?;
            if !self.eat(b',') {
                return self.expect(end);
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > self.max_depth {
            return None;
        }
        self.blank();
        Some(match self.peek()? {
            b'"' => Json::String(self.string()?),
            b'{' => Json::Object(self.members(depth)?),
            b'[' => Json::Array(self.elements(depth)?),
            b't' => self.word(b"true").map(|()| Json::Bool(true))?,
            b'f' => self.word(b"false").map(|()| Json::Bool(false))?,
            b'n' => self.word(b"null").map(|()| Json::Null)?,
            _ => Json::Number(self.number_text()?.parse().ok()?),
        })
    }

    fn elements(&mut self, depth: usize) -> Option<Vec<Json<'a>>> {
        self.expect(b'[')?;
        let mut elements = Vec::new();
        if self.eat(b']') {
            return Some(elements);
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if !self.eat(b',') {
                return self.expect(b']').map(|()| elements);
            }
        }
    }

    fn members(&mut self, depth: usize) -> Option<Vec<(Cow<'a, [u8]>, Json<'a>)>> {
        self.expect(b'{')?;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Some(members);
        }
        loop {
            self.blank();
            if self.peek()? != b'"' {
                return None;
            }
            let name = self.string()?;
            self.expect(b':')?;
            members.push((name, self.value(depth + 1)?));
            if !self.eat(b',') {
                return self.expect(b'}').map(|()| members);
            }
        }
    }
}

/// The characters of a string; a lone surrogate as its three bytes.
fn unescape(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'\\') {
        let (head, tail) = rest.split_at(slash);
        out.extend_from_slice(head);
        let (escape, mut after) = tail.get(1..)?.split_first()?;
        match escape {
            b'u' => after = unescape_unit(after, &mut out)?,
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'"' | b'\\' | b'/' => out.push(*escape),
            _ => return None,
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// After `\u`: one unit, or two that are a pair. Gives what follows.
fn unescape_unit<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (high, rest) = unit(text)?;
    if (0xd800..0xdc00).contains(&high)
        && let Some((low, after)) = rest.strip_prefix(b"\\u").and_then(unit)
        && (0xdc00..0xe000).contains(&low)
    {
        push_code(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), out);
        return Some(after);
    }
    push_code(high, out);
    Some(rest)
}

fn unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// UTF-8, for surrogates too.
#[allow(clippy::cast_possible_truncation)]
fn push_code(code: u32, out: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend([0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend([0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
#[path = "json_text_tests.rs"]
mod tests;

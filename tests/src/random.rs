//! Random wire messages, written from the schema alone.
//!
//! An interpreter of `protocol/schema/*.txt` that shares no code with the generated encoders: what
//! it writes is what the schema says, so that both directions of the generated code are tested
//! against something else than each other.
//!
//! Must always hold: a message is *canonical*, that is, exactly the bytes that an encoder writes.
//! Tagged fields that have their default are left out and the others stand in ascending order,
//! there is no unknown tag, null stands only where the version allows it, a truth value is 0 or 1,
//! a varint has no byte too many, and no number is a NaN.

use std::path::Path;
use std::sync::OnceLock;

use logboom_protocol::{ApiKey, MessageKind};
use xtask::schema::{Api, Field, Literal, Message, Scalar, Struct, Type, load};

mod values;
mod wire;

pub use values::Random;
pub use wire::{Length, LengthForm, Span, TAGGED_FIELDS, Wire};

/// All APIs, read from the schema files once.
///
/// # Panics
/// If they cannot be read.
pub fn apis() -> &'static [Api] {
    static APIS: OnceLock<Vec<Api>> = OnceLock::new();
    APIS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/schema");
        load(&dir).expect("the schema files are in order")
    })
}

/// A message format: an API, a direction and a version.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The API.
    pub api: ApiKey,
    /// Request or response.
    pub kind: MessageKind,
    /// One of the API's versions.
    pub version: i16,
    /// The fields.
    pub message: &'static Message,
}

/// Every format that the schema knows, by API, direction and version.
///
/// # Panics
/// If the schema has an API that the crate doesn't know.
pub fn formats() -> Vec<Format> {
    let mut formats = Vec::new();
    for api in apis() {
        let key = ApiKey::from_wire(api.key).expect("the schema's APIs are those of the crate");
        for (kind, message) in
            [(MessageKind::Request, &api.request), (MessageKind::Response, &api.response)]
        {
            let of_version = |version| Format { api: key, kind, version, message };
            formats.extend(message.versions.iter().map(of_version));
        }
    }
    formats
}

impl Format {
    /// A seed of this format's own for each round of a test.
    pub fn seed(&self, base: u64, round: u64) -> u64 {
        let kind = u64::from(self.kind == MessageKind::Response);
        let place = i64::from(self.api.to_wire()) << 20 | i64::from(self.version) << 4;
        Random::new(base ^ round.rotate_left(40) ^ place.cast_unsigned() ^ kind).next()
    }

    /// The random message that belongs to `seed`.
    pub fn random(&self, seed: u64) -> Wire {
        self.written(Random::new(seed), Writer::structure)
    }

    /// The message in which every field has its default.
    pub fn all_default(&self) -> Wire {
        self.written(Random::new(0), Writer::default_structure)
    }

    /// A message with `count` elements, all default, in the array `crowd`, one element in every
    /// other array, and no null.
    pub fn crowded(&self, crowd: &str, count: usize) -> Wire {
        self.written(Random::new(0), |w, top| w.crowded_structure(top, crowd, count))
    }

    /// The names of all arrays of the version, as `Struct.field`.
    pub fn arrays(&self) -> Vec<String> {
        let mut arrays = Vec::new();
        let mut structs = vec![&self.message.structs[0]];
        let mut next = 0;
        while let Some(one) = structs.get(next).copied() {
            next += 1;
            for field in one.fields.iter().filter(|field| field.versions.contains(self.version)) {
                let kind = match &field.kind {
                    Type::Array(element) => {
                        arrays.push(field_name(one, field));
                        element
                    }
                    kind => kind,
                };
                if let Type::Struct(name) = kind
                    && !structs.iter().any(|seen| seen.name == *name)
                {
                    structs.push(self.message.find(name));
                }
            }
        }
        arrays
    }

    fn written(&self, random: Random, write: impl FnOnce(&mut Writer, &'static Struct)) -> Wire {
        let mut writer = Writer {
            message: self.message,
            version: self.version,
            flexible: self.message.is_flexible(self.version),
            random,
            depth: 0,
            wire: Wire::default(),
        };
        write(&mut writer, &self.message.structs[0]);
        writer.wire
    }
}

/// Writes one message.
struct Writer {
    message: &'static Message,
    version: i16,
    flexible: bool,
    random: Random,
    /// Arrays around the place that is being written.
    depth: usize,
    wire: Wire,
}

impl Writer {
    /// A struct with random fields.
    fn structure(&mut self, one: &'static Struct) {
        for field in self.fields(one, false) {
            self.spanned(field_name(one, field), |w| w.value(field));
        }
        if self.flexible {
            self.spanned(TAGGED_FIELDS.to_owned(), |w| w.tagged(one));
        }
    }

    /// A struct whose fields all have their default.
    fn default_structure(&mut self, one: &'static Struct) {
        for field in self.fields(one, false) {
            self.spanned(field_name(one, field), |w| w.default_value(field));
        }
        if self.flexible {
            self.spanned(TAGGED_FIELDS.to_owned(), |w| w.varint(0, LengthForm::Tagged));
        }
    }

    /// A struct with nothing left out; see [`Format::crowded`].
    fn crowded_structure(&mut self, one: &'static Struct, crowd: &str, count: usize) {
        for field in self.fields(one, false) {
            self.crowded_value(one, field, crowd, count);
        }
        if !self.flexible {
            return;
        }
        let mut present = Vec::new();
        for field in self.fields(one, true) {
            let default = self.apart(|w| w.default_value(field));
            let value = self.apart(|w| w.crowded_value(one, field, crowd, count));
            if value.bytes != default.bytes {
                present.push((field.tag.unwrap_or_default(), value));
            }
        }
        self.tagged_section(present);
    }

    fn crowded_value(
        &mut self,
        one: &'static Struct,
        field: &'static Field,
        crowd: &str,
        count: usize,
    ) {
        match &field.kind {
            Type::Scalar(_) => self.default_value(field),
            Type::Struct(name) => {
                if field.is_nullable(self.version) {
                    self.wire.bytes.push(1);
                }
                self.crowded_structure(self.message.find(name), crowd, count);
            }
            Type::Array(element) => {
                let crowded = field_name(one, field) == crowd;
                let count_here = if crowded { count } else { 1 };
                self.length(Some(count_here), true);
                for _ in 0..count_here {
                    match &**element {
                        Type::Struct(name) if crowded => {
                            self.default_structure(self.message.find(name));
                        }
                        Type::Struct(name) => {
                            self.crowded_structure(self.message.find(name), crowd, count);
                        }
                        Type::Scalar(scalar) => self.number(*scalar, 0),
                        Type::Array(_) => unreachable!("the protocol has no arrays of arrays"),
                    }
                }
            }
        }
    }

    /// The fields of the version, tagged ones in the order of their tags.
    fn fields(&self, one: &'static Struct, tagged: bool) -> Vec<&'static Field> {
        let in_version = |field: &&Field| field.versions.contains(self.version);
        let mut fields: Vec<_> = one.fields.iter().filter(in_version).collect();
        fields.retain(|field| field.tag.is_some() == tagged);
        fields.sort_by_key(|field| field.tag);
        fields
    }

    /// Writes with `write` and notes which bytes came of it.
    fn spanned(&mut self, field: String, write: impl FnOnce(&mut Self)) {
        let start = self.wire.bytes.len();
        write(self);
        self.wire.spans.push(Span { range: start..self.wire.bytes.len(), field });
    }

    /// Writes with `write` into a wire of its own.
    fn apart(&mut self, write: impl FnOnce(&mut Self)) -> Wire {
        let outer = std::mem::take(&mut self.wire);
        write(self);
        std::mem::replace(&mut self.wire, outer)
    }

    fn tagged(&mut self, one: &'static Struct) {
        let mut present = Vec::new();
        for field in self.fields(one, true) {
            let default = self.apart(|w| w.default_value(field));
            let value = self.apart(|w| w.spanned(field_name(one, field), |w| w.value(field)));
            if value.bytes != default.bytes {
                present.push((field.tag.unwrap_or_default(), value));
            }
        }
        self.tagged_section(present);
    }

    /// Tagged fields, in the order of their tags.
    fn tagged_section(&mut self, present: Vec<(u32, Wire)>) {
        self.varint(present.len(), LengthForm::Tagged);
        for (tag, value) in present {
            values::put_varint(tag.into(), &mut self.wire.bytes);
            self.varint(value.bytes.len(), LengthForm::Tagged);
            self.wire.append(value);
        }
    }

    /// A random value of a field.
    fn value(&mut self, field: &'static Field) {
        if self.random.one_in(5) {
            return self.default_value(field);
        }
        let nullable = field.is_nullable(self.version);
        if nullable && self.random.one_in(4) {
            return self.null(&field.kind);
        }
        match &field.kind {
            Type::Scalar(scalar) => self.scalar(*scalar),
            Type::Struct(name) => {
                if nullable {
                    self.wire.bytes.push(1);
                }
                self.structure(self.message.find(name));
            }
            Type::Array(element) => self.array(element),
        }
    }

    fn array(&mut self, element: &'static Type) {
        let count = self.random.element_count(self.depth);
        self.length(Some(count), true);
        self.depth += 1;
        for _ in 0..count {
            match element {
                Type::Scalar(scalar) => self.scalar(*scalar),
                Type::Struct(name) => self.structure(self.message.find(name)),
                Type::Array(_) => unreachable!("the protocol has no arrays of arrays"),
            }
        }
        self.depth -= 1;
    }

    fn scalar(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::String => {
                let text = self.random.text();
                self.length(Some(text.len()), false);
                self.wire.bytes.extend(text.as_bytes());
            }
            Scalar::Bytes | Scalar::Records => {
                let bytes = self.random.blob();
                self.length(Some(bytes.len()), true);
                self.wire.bytes.extend(bytes);
            }
            _ => self.random.fixed(scalar, &mut self.wire.bytes),
        }
    }

    fn null(&mut self, kind: &Type) {
        match kind {
            Type::Struct(_) => self.wire.bytes.push(0xff),
            Type::Array(_) => self.length(None, true),
            Type::Scalar(scalar) => self.length(None, *scalar != Scalar::String),
        }
    }

    /// The value that a field has where the wire has none.
    fn default_value(&mut self, field: &'static Field) {
        let nullable = field.is_nullable(self.version);
        if field.default == Literal::Null && nullable {
            return self.null(&field.kind);
        }
        match &field.kind {
            Type::Struct(name) => {
                if nullable {
                    self.wire.bytes.push(1);
                }
                self.default_structure(self.message.find(name));
            }
            Type::Array(_) => self.length(Some(0), true),
            Type::Scalar(scalar) => {
                let number = match field.default {
                    Literal::Number(number) => number,
                    Literal::True => 1,
                    Literal::Natural | Literal::Null => 0,
                };
                self.number(*scalar, number);
            }
        }
    }

    /// A scalar whose value is that number; 0 is also what is empty.
    fn number(&mut self, scalar: Scalar, number: i64) {
        let Some(size) = scalar.size() else {
            assert_eq!(number, 0, "the default of what has a length is empty");
            return self.length(Some(0), scalar != Scalar::String);
        };
        // No default is a UUID or a fraction, so the low bytes say it all.
        assert!(number == 0 || size <= 8 && scalar != Scalar::F64);
        let wide = i128::from(number).to_be_bytes();
        self.wire.bytes.extend(&wide[wide.len() - size..]);
    }

    /// A length or count, `None` for null; of four bytes instead of two where `wide`.
    fn length(&mut self, length: Option<usize>, wide: bool) {
        if self.flexible {
            return self.varint(length.map_or(0, |length| length + 1), LengthForm::Compact);
        }
        let number = length.map_or(-1, |length| i32::try_from(length).expect("short"));
        let start = self.wire.bytes.len();
        let form = if wide {
            self.wire.bytes.extend(number.to_be_bytes());
            LengthForm::I32
        } else {
            self.wire.bytes.extend(i16::try_from(number).expect("short").to_be_bytes());
            LengthForm::I16
        };
        self.wire.lengths.push(Length { range: start..self.wire.bytes.len(), form });
    }

    fn varint(&mut self, number: usize, form: LengthForm) {
        let start = self.wire.bytes.len();
        values::put_varint(number as u64, &mut self.wire.bytes);
        self.wire.lengths.push(Length { range: start..self.wire.bytes.len(), form });
    }
}

fn field_name(one: &Struct, field: &Field) -> String {
    format!("{}.{}", one.name, field.name)
}

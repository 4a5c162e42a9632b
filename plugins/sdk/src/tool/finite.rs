//! Results without NaN and infinity. JSON has no word for them, and `serde_json` writes null in their place, which nobody could tell
//! from a value that is not there.

use alloc::string::String;
use core::fmt::Display;

use serde::ser::{self, Serialize, Serializer};

/// Why a result cannot be written.
#[derive(Debug)]
pub(super) struct NotFinite(pub(super) String);

impl Display for NotFinite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for NotFinite {}

impl ser::Error for NotFinite {
    fn custom<T: Display>(message: T) -> Self {
        Self(alloc::string::ToString::to_string(&message))
    }
}

/// An error where a number in the value is not finite.
pub(super) fn check_finite(value: &(impl Serialize + ?Sized)) -> Result<(), NotFinite> {
    value.serialize(Check)
}

/// Looks at a value and writes nothing.
#[derive(Clone, Copy)]
struct Check;

/// What holds nothing that could be a float.
macro_rules! passed {
    ($($method:ident($value:ty)),+ $(,)?) => {
        $(
            fn $method(self, _: $value) -> Result<(), NotFinite> {
                Ok(())
            }
        )+
    };
}

impl Serializer for Check {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    passed! {
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotFinite> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotFinite> {
        if value.is_finite() {
            return Ok(());
        }
        Err(ser::Error::custom("it holds NaN or infinity, which JSON has no word for; return text or leave it out"))
    }

    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }
}

/// What holds values one after the other.
macro_rules! looks_at {
    ($($kind:ident::$method:ident),+ $(,)?) => {
        $(
            impl ser::$kind for Check {
                type Ok = ();
                type Error = NotFinite;

                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
                    value.serialize(*self)
                }

                fn end(self) -> Result<(), NotFinite> {
                    Ok(())
                }
            }
        )+
    };
}

looks_at! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

/// The same with names.
macro_rules! looks_at_named {
    ($($kind:ident),+ $(,)?) => {
        $(
            impl ser::$kind for Check {
                type Ok = ();
                type Error = NotFinite;

                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    _: &'static str,
                    value: &T,
                ) -> Result<(), NotFinite> {
                    value.serialize(*self)
                }

                fn end(self) -> Result<(), NotFinite> {
                    Ok(())
                }
            }
        )+
    };
}

looks_at_named! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Check {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use alloc::vec::Vec;

    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Empty,
        Round(f64),
        Square { side: Option<f32> },
        Pair(u8, f64),
    }

    #[test]
    fn what_is_not_finite_is_found_wherever_it_stands() {
        let nan = f64::NAN;
        assert!(check_finite(&nan).is_err() && check_finite(&f32::NEG_INFINITY).is_err());
        assert!(check_finite(&vec![(1, 0.5), (2, nan)]).is_err());
        assert!(check_finite(&BTreeMap::from([("a", Some(nan))])).is_err());
        assert!(check_finite(&Shape::Round(nan)).is_err() && check_finite(&Shape::Pair(1, nan)).is_err());
        assert!(check_finite(&Shape::Square { side: Some(f32::INFINITY) }).is_err());
        let sound: Vec<Shape> =
            vec![Shape::Empty, Shape::Round(1.5), Shape::Square { side: None }, Shape::Pair(1, 0.0)];
        assert!(check_finite(&sound).is_ok());
        assert!(check_finite(&json!({"a": [1, null, "NaN", true, 1e300], "b": {}})).is_ok());
        let raw = serde_json::value::RawValue::from_string("[1e309]".into()).expect("JSON");
        assert!(check_finite(&raw).is_ok());
    }
}

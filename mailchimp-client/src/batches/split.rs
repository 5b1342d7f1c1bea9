//! Cuts a JSON array that arrives in pieces into its elements.

use crate::error::ArchiveProblem;

/// Finds the elements of one array of objects. Knows just enough JSON to find where each ends;
/// whether an element is valid is for its reader to say.
#[derive(Debug, Default)]
pub(super) struct ArraySplitter {
    place: Place,
    element: Vec<u8>,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeArray,
    BeforeFirst,
    BeforeElement,
    InElement,
    AfterElement,
    AfterArray,
}

impl ArraySplitter {
    /// Takes the next piece and hands each element that it completes to `element`. An element
    /// of more than `limit` bytes is refused.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        limit: usize,
        mut element: impl FnMut(&[u8]) -> Result<(), ArchiveProblem>,
    ) -> Result<(), ArchiveProblem> {
        for &byte in piece {
            if self.place == Place::InElement {
                if self.element.len() >= limit {
                    return Err(ArchiveProblem::TooLarge);
                }
                self.element.push(byte);
                if self.ends_element(byte) {
                    element(&self.element)?;
                    self.element.clear();
                    self.place = Place::AfterElement;
                }
                continue;
            }
            self.place = match (self.place, byte) {
                (place, b' ' | b'\t' | b'\r' | b'\n') => place,
                (Place::BeforeArray, b'[') => Place::BeforeFirst,
                (Place::BeforeFirst | Place::BeforeElement, b'{') => {
                    self.element.push(byte);
                    self.depth = 1;
                    Place::InElement
                }
                (Place::AfterElement, b',') => Place::BeforeElement,
                (Place::BeforeFirst | Place::AfterElement, b']') => Place::AfterArray,
                _ => return Err(ArchiveProblem::Content),
            };
        }
        Ok(())
    }

    /// Ends the array: an empty file is a valid one without results.
    pub(super) fn end(&self) -> Result<(), ArchiveProblem> {
        match self.place {
            Place::BeforeArray | Place::AfterArray => Ok(()),
            _ => Err(ArchiveProblem::Content),
        }
    }

    fn ends_element(&mut self, byte: u8) -> bool {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn split(text: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, ArchiveProblem> {
        let mut splitter = ArraySplitter::default();
        let mut elements = Vec::new();
        for piece in text.chunks(piece) {
            splitter.push(piece, 1 << 20, |element| {
                elements.push(element.to_vec());
                Ok(())
            })?;
        }
        splitter.end()?;
        Ok(elements)
    }

    #[test]
    fn empty_files_and_empty_arrays_hold_nothing() {
        for text in ["", " \n", "[]", " [ \n] "] {
            assert_eq!(split(text.as_bytes(), 3), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_array_of_objects_is_refused() {
        for text in [
            "{}",
            "[1]",
            "[{},]",
            "[{}",
            "[{}{}]",
            "[,{}]",
            "[]]",
            "[{\"a\":\"}",
        ] {
            assert_eq!(
                split(text.as_bytes(), 2),
                Err(ArchiveProblem::Content),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_element_above_the_limit_is_refused() {
        let mut splitter = ArraySplitter::default();
        let outcome = splitter.push(b"[{\"a\":1234567}]", 8, |_| Ok(()));
        assert_eq!(outcome, Err(ArchiveProblem::TooLarge));
    }

    proptest! {
        #[test]
        fn any_array_of_objects_comes_apart_however_it_is_cut(
            texts in prop::collection::vec("\\PC*", 0..6),
            piece in 1_usize..40,
        ) {
            let elements: Vec<Value> =
                texts.iter().map(|text| serde_json::json!({ "response": text, "n": [text] })).collect();
            let array = serde_json::to_vec_pretty(&elements).unwrap();
            let read: Vec<Value> = split(&array, piece)
                .unwrap()
                .iter()
                .map(|element| serde_json::from_slice(element).unwrap())
                .collect();
            prop_assert_eq!(read, elements);
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            piece in 1_usize..40,
        ) {
            let _ = split(&bytes, piece);
            let mut array = b"[{".to_vec();
            array.extend(bytes);
            let _ = split(&array, piece);
        }
    }
}

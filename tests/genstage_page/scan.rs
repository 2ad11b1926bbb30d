//! The numbers in the doc comments of test sources.

pub(crate) type Number = u16;

/// What stands above one function: its numbers, its name, whether it is a test.
#[derive(Debug, PartialEq)]
pub(crate) struct Marked {
    pub(crate) numbers: Vec<Number>,
    pub(crate) name: String,
    pub(crate) is_test: bool,
}

/// The numbers in a doc comment.
pub(crate) fn numbers(text: &str) -> Vec<Number> {
    let mut numbers = Vec::new();
    let mut is_range = false;
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let digits = word.strip_prefix("GS").filter(|digits| digits.len() == 3);
        match (
            digits.and_then(|digits| digits.parse().ok()),
            numbers.last(),
        ) {
            (Some(last), Some(first)) if is_range => numbers.extend(first + 1..=last),
            (Some(number), _) => numbers.push(number),
            _ => {}
        }
        is_range = word == "to";
    }
    numbers
}

/// The name of the function that `line` declares.
fn function(line: &str) -> Option<&str> {
    let words = ["pub ", "async "]
        .iter()
        .fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
    words.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The functions in `source` with numbers above them.
pub(crate) fn marked(source: &str) -> Vec<Marked> {
    let mut found = Vec::new();
    let (mut comment, mut is_test) = (String::new(), false);
    for line in source.lines().map(str::trim) {
        if line.is_empty() {
            comment.clear();
        } else if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text);
            comment.push('\n');
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = function(line) {
            let numbers = numbers(&std::mem::take(&mut comment));
            let is_test = std::mem::take(&mut is_test);
            if !numbers.is_empty() {
                found.push(Marked {
                    numbers,
                    name: name.to_owned(),
                    is_test,
                });
            }
        }
    }
    found
}

#[test]
fn numbers_are_found_alone_in_lists_and_in_ranges() {
    assert_eq!(numbers(" GS045"), [45]);
    assert_eq!(
        numbers("GS045, GS046.\nGS050: where ours differs"),
        [45, 46, 50]
    );
    assert_eq!(
        numbers("GS123 to GS126 and GS130"),
        [123, 124, 125, 126, 130]
    );
    assert_eq!(numbers("D4, GS1, GSabc, BGS001"), [0; 0]);
}

#[test]
fn numbers_belong_to_the_function_below_them() {
    let source = "
        //! GS001
        /// GS002
        ///
        /// And GS003.
        #[cfg_attr(
            windows,
            ignore
        )]
        #[tokio::test(start_paused = true)]
        async fn one() {}

        /// No number.
        #[test]
        fn two() {}

        /// GS004
        fn three<T>() {}
    ";
    let expected = [(vec![2, 3], "one", true), (vec![4], "three", false)];
    let expected = expected.map(|(numbers, name, is_test)| {
        let name = name.to_owned();
        Marked {
            numbers,
            name,
            is_test,
        }
    });
    assert_eq!(marked(source), expected);
}

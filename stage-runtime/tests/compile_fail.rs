//! What the types say no to.

/// GS146 GS148 GS157 GS159 GS169 GS171 GS173 GS177 GS187 GS189: what is a
/// mistake at run time there does not compile here.
///
/// Compilers word their messages differently, so this runs with the one whose
/// words were recorded.
#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the messages recorded are those of Rust 1.95"
)]
#[test]
fn what_cannot_work_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

//! What the types say no to.

/// GS148 GS169 GS173 GS187 GS189: what is a mistake at run time there does not
/// compile here.
#[test]
fn what_cannot_work_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

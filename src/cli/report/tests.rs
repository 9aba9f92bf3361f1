use super::*;

#[test]
fn a_page_allows_its_own_script_alone() {
    let page = whole("</title><script>alert(1)</script>", "");
    assert!(page.contains("script-src 'sha256-") && page.contains("default-src 'none'"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
    // Nothing is loaded from anywhere.
    for text in [SCRIPT, STYLE] {
        assert!(
            !text.contains("http")
                || text.matches("http").count() == text.matches("http://www.w3.org/2000/svg").count()
        );
    }
}

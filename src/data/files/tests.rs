//! What paths and patterns lead to.

use super::*;

/// The files of patterns below a folder, by their paths in it.
fn found(root: &Path, patterns: &[&str]) -> Result<Vec<String>, DataError> {
    let patterns: Vec<String> = patterns.iter().map(|p| root.join(p).to_str().unwrap().to_string()).collect();
    let files = find_all(&patterns, &[".gds", ".gds.gz"])?;
    Ok(files.iter().map(|f| f.strip_prefix(root).unwrap().to_str().unwrap().to_string()).collect())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    for name in ["b/2.GDS", "c.gds", "a.gds.gz", "note.txt"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    folder
}

#[test]
fn files_folders_and_patterns_are_found_in_order() {
    let folder = folder();
    let root = folder.path();
    let at = |name: &str| root.join(name).to_str().unwrap().to_string();
    let found = |pattern: &str| found(root, &[pattern]);
    assert_eq!(found(""), Ok(vec!["a.gds.gz".into(), "b/2.GDS".into(), "c.gds".into()]));
    assert_eq!(found("*.gds"), Ok(vec!["c.gds".into()]));
    assert_eq!(found("note.txt"), Ok(vec!["note.txt".into()]));
    assert_eq!(found("gone"), Err(DataError::NotFound { path: root.join("gone") }));
    assert_eq!(found("*.oas"), Err(DataError::NoMatch { pattern: at("*.oas") }));
    assert!(matches!(found("***"), Err(DataError::BadPattern { .. })));
    std::fs::create_dir(root.join("empty")).unwrap();
    assert!(matches!(found("empty"), Err(DataError::EmptyFolder { .. })));
    assert!(matches!(find_all::<&str>(&[], &[".gds"]), Err(DataError::NoMatch { .. })));
}

#[test]
fn several_are_one_list_without_doubles() {
    let folder = folder();
    let root = folder.path();
    let all = || Ok(vec!["a.gds.gz".to_string(), "b/2.GDS".into(), "c.gds".into()]);
    assert_eq!(found(root, &["c.gds", "b", "a*"]), all());
    assert_eq!(found(root, &["", "c.gds", "b/../c.gds", "./b"]), all());
    assert_eq!(found(root, &["{a.gds.gz,b/2.GDS}"]), Ok(vec!["a.gds.gz".to_string(), "b/2.GDS".into()]));
    assert!(matches!(found(root, &["{a.gds.gz,gone}"]), Err(DataError::NotFound { .. })));
    // A name with braces that is there means itself.
    std::fs::write(root.join("{x,y}.gds"), "x").unwrap();
    assert_eq!(found(root, &["{x,y}.gds"]), Ok(vec!["{x,y}.gds".into()]));
    std::fs::write(root.join("[1].gds"), "x").unwrap();
    assert_eq!(found(root, &["[1].gds"]), Ok(vec!["[1].gds".into()]));
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_not_in_circles() {
    let folder = folder();
    let root = folder.path();
    let link = |from: &str, to: &Path| std::os::unix::fs::symlink(to, root.join(from)).unwrap();
    link("b/up", root);
    link("b/self", &root.join("b"));
    link("nowhere.gds", &root.join("gone"));
    std::fs::hard_link(root.join("c.gds"), root.join("d.gds")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("o.gds"), "x").unwrap();
    link("other", outside.path());
    let all = ["a.gds.gz", "b/2.GDS", "c.gds", "other/o.gds"].map(str::to_string).to_vec();
    assert_eq!(found(root, &[""]), Ok(all));
    let starred = found(root, &["**/*.gds"]).unwrap();
    assert_eq!(starred, ["c.gds", "other/o.gds"]);
}

#[test]
fn packed_files_of_a_folder_are_not_passed_over() {
    let folder = folder();
    for name in ["d.gds.bz2", "c.gds.xz", "note.txt.xz", "b/5.gds.ZST"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let all = ["a.gds.gz", "b/2.GDS", "b/5.gds.ZST", "c.gds", "d.gds.bz2"].map(str::to_string).to_vec();
    // What was unpacked already is not needed twice.
    assert_eq!(found(folder.path(), &[""]), Ok(all));
}

#[test]
fn a_tilde_is_the_home_folder() {
    let Ok(folder) = std::env::var("HOME") else { return };
    assert_eq!(home("~/x/*.gds"), Ok(format!("{}/x/*.gds", folder.trim_end_matches('/'))));
    assert_eq!((home("a~/x"), home("~user/x")), (Ok("a~/x".into()), Ok("~user/x".into())));
}

#[test]
fn what_is_not_read_is_named_with_a_command() {
    let of = |head: &[u8]| foreign(Path::new("a.gds.bz2"), head, &[b"\x1f\x8b"]);
    let error = of(b"BZh91AY").unwrap();
    assert_eq!(error.to_string(), "a.gds.bz2: a bzip2 file, which is not read");
    assert_eq!(error.help(), "unpack it:  bunzip2 --keep \"a.gds.bz2\"");
    assert!(of(b"\x1f\x8b\x08").is_none() && of(b"").is_none() && of(b"anything").is_none());
}

#[test]
#[cfg(unix)]
fn a_device_is_no_file_to_read() {
    let refused = DataError::Unreadable { path: "/dev/zero".into(), reason: "it is not a regular file".into() };
    assert_eq!(find("/dev/zero", &[".gds"]), Err(refused.clone()));
    assert_eq!(crate::images::decode(Path::new("/dev/zero"), &crate::images::Images::default()), Err(refused));
}

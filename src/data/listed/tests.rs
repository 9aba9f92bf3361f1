//! Lists of every form.

use super::*;

fn at(folder: &Path, text: &str) -> String {
    folder.join(text).to_str().unwrap().to_string()
}

#[test]
fn lists_name_two_pictures_and_a_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "a.csv",
        "\u{feff}first, second, h11, h12, h13, h21, h22, h23, h31, h32, h33\n# turned\n1.png,2.png,0,-2,5,2,0,6,0,0,2\n\n1.png, 3.png\n",
    );
    write(
        "b.jsonl",
        "{\"a\": \"1.png\", \"b\": \"x/4.png\", \"H\": [[1, 0, 5], [0, 1, 6], [0, 0, 1]]}\n{\"a\": \"p\", \"b\": \"q\"}\n",
    );
    let pairs = listed(&[at(folder.path(), "a.csv"), at(folder.path(), "b.jsonl")], &[]).unwrap();
    let names: Vec<_> = pairs.iter().map(|p| p.b.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["2.png", "3.png", "x/4.png", "q"]);
    assert_eq!(pairs[0].h.0, [[0.0, -1.0, 2.5], [1.0, 0.0, 3.0], [0.0, 0.0, 1.0]]);
    assert_eq!((pairs[1].h.takes([3.0, 4.0]), pairs[2].h.takes([3.0, 4.0])), ([3.0, 4.0], [8.0, 10.0]));
    for (text, line, reason) in [
        ("a.png,b.png,1,2\n", 1, "2 numbers of a matrix instead of 9"),
        ("a.png,b.png\na.png,b.png,1,0,0,0,1,0,0,x,1", 2, "\"x\" is no number"),
        ("a,b\na.png,b.png,1,0,0,1,0,0,0,0,1", 2, "a matrix that cannot be undone"),
        ("a,b\none\n", 2, "one value; a line is  a.png, b.png, h11, …, h33"),
        ("{\"a\": 1}\n", 1, "no text `a`"),
    ] {
        write("w.csv", text);
        let path = folder.path().join("w.csv");
        assert_eq!(
            listed(&[at(folder.path(), "w.csv")], &[]),
            Err(DataError::BadList { path, line, reason: reason.into() })
        );
    }
}

#[test]
fn sequences_are_pairs_from_their_first_picture() {
    let folder = tempfile::tempdir().unwrap();
    for (name, count) in [("v_b", 3), ("i_a", 2), ("no", 0)] {
        let here = folder.path().join(name);
        std::fs::create_dir(&here).unwrap();
        for k in 1..=count {
            std::fs::write(here.join(format!("{k}.ppm")), "x").unwrap();
            if k > 1 {
                std::fs::write(here.join(format!("H_1_{k}")), format!("1 0 {k}\n0 1 0\n0 0 1\n")).unwrap();
            }
        }
    }
    let pairs = listed(&[at(folder.path(), "")], &[]).unwrap();
    let seen: Vec<_> =
        pairs.iter().map(|p| (p.b.strip_prefix(folder.path()).unwrap().to_str().unwrap(), p.h.0[0][2])).collect();
    assert_eq!(seen, [("i_a/2.ppm", 2.0), ("v_b/2.ppm", 2.0), ("v_b/3.ppm", 3.0)]);
    assert_eq!(listed(&[at(folder.path(), "v_b")], &[]).unwrap().len(), 2);
    std::fs::remove_file(folder.path().join("v_b/3.ppm")).unwrap();
    assert!(matches!(listed(&[at(folder.path(), "")], &[]), Err(DataError::NotFound { .. })));
    assert!(matches!(listed(&[at(folder.path(), "no")], &[]), Err(DataError::EmptyFolder { .. })));
}

#[test]
fn files_of_the_same_name_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x", "y"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    for name in ["x/1.png", "y/1.tif", "x/2.png", "y/2.tif"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let both = || listed(&[at(folder.path(), "x")], &[at(folder.path(), "y")]);
    let pairs = both().unwrap();
    assert!(pairs.len() == 2 && pairs[1].a.ends_with("x/2.png") && pairs[1].b.ends_with("y/2.tif"));
    std::fs::write(folder.path().join("y/3.png"), "x").unwrap();
    assert_eq!(both(), Err(DataError::NoPartner { path: folder.path().join("y/3.png") }));
}

//! Data from pictures, by the whole binary: pairs of two files, channels, corners, and what is told of them.

use std::path::Path;
use std::process::Command;

/// What the binary prints of the data of a pipeline.
fn data(dir: &Path, data: &str, fields: &str) -> (Option<i32>, String) {
    let text = format!(
        "rord 1\npipeline \"p\"\n\ndata pairs = {data} -> {{ {fields} }}\n\nmodel net(x: Image[B, C, H, W]@f) {{\n  out p: Prob[B, 1, H, W]@f = x |> conv(1, 1) |> sigmoid\n}}\n\nlet {{ image }} = pairs\nlet {{ p }} = net(image)\nminimize total = mean(p)\n\ntrain {{ optimizer = adam(lr = 1e-2), batch = 2, epochs = 1 }}\n"
    );
    std::fs::write(dir.join("t.rord"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rord-run"));
    command.current_dir(dir).args(["data", "t.rord"]).env("RORD_WIDTH", "300").env("NO_COLOR", "1").env_remove("TERM");
    let out = command.output().unwrap();
    let said = [out.stderr, out.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!said.contains("panicked"), "{said}");
    (out.status.code(), said)
}

/// A picture of squares, as a PPM file of three colors or a PGM file of one.
fn picture(path: &Path, colors: usize, white: u8) {
    let (width, height) = (80usize, 70usize);
    let mut bytes = format!("P{}\n{width} {height}\n255\n", if colors == 3 { 6 } else { 5 }).into_bytes();
    for i in 0..width * height {
        let lit = (i % width / 9 + i / width / 7) % 2 == 0;
        bytes.extend((0..colors).map(|c| if lit { white / (c as u8 + 1) } else { 0 }));
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn pairs_of_files_and_their_channels_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    for k in 0..4 {
        picture(&dir.path().join(format!("{k}.ppm")), 3, 255);
    }
    std::fs::write(dir.path().join("list.csv"), "0.ppm,1.ppm,1,0,3,0,1,2,0,0,1\n2.ppm,3.ppm\n").unwrap();
    let fields = "image: Image[B, C, H, W]@a, image_r: Image[B, C, H, W]@b, H: Homography[B]@a->b";
    let (code, said) = data(dir.path(), "file_pairs(\"list.csv\", patch = 32px, channels = 3, train = 0.5)", fields);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 pair of pictures to train on and 1 to validate"), "{said}");
    assert!(said.contains("image_r [3, 32, 32]") && said.contains("H [3, 3]"), "{said}");
    let (code, said) = data(dir.path(), "file_pairs(\"list.csv\", patch = 32px, channels = 4, train = 1.0)", fields);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("R0907") && said.contains("1 channels (grey), and the dataset has 4"), "{said}");
    let (code, said) = data(
        dir.path(),
        "file_pairs(\"list.csv\", patch = 32px, train = 0.5, geometry = perspective)",
        &fields.replace('C', "1"),
    );
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn corners_of_pictures_are_found_in_their_grey_values_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("p")).unwrap();
    picture(&dir.path().join("p/a.pgm"), 1, 255);
    picture(&dir.path().join("p/b.pgm"), 1, 20);
    let fields = "image: Image[B, 1, H, W]@a, corners: Label[B, 1, H, W]@a";
    let (code, said) = data(dir.path(), "layout_images(images(\"p\"), patch = 32px, train = 1.0)", fields);
    assert!(code == Some(1) && said.contains("R0907") && said.contains("corners = picture"), "{said}");
    let of = "layout_images(images([\"p/a.pgm\", \"p/b.pgm\"]), patch = 32px, train = 1.0, corners = picture)";
    let (code, said) = data(dir.path(), of, fields);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("b.pgm: its values are 0 to 20 of 0 to 255; `range = 0..20`"), "{said}");
}

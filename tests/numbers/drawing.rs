//! How long it takes to read and to draw layouts, for `benches/data/compare.py`, which names a file in `RORD_LAYOUT`.

use std::path::PathBuf;
use std::time::Instant;

use rord_data::gds::Gds;
use rord_data::picture::Samples;
use rord_data::store::{Settings, Store};
use rord_layouts::Hierarchy;

/// The layers of sky130 that are drawn: local interconnect, metal 1 and 2, poly, diffusion.
const LAYERS: [&str; 5] = ["67/20", "68/20", "69/20", "66/20", "65/20"];

#[test]
#[ignore = "it measures; benches/data/compare.py calls it"]
fn times_of_a_tile() {
    let file = PathBuf::from(std::env::var_os("RORD_LAYOUT").expect("RORD_LAYOUT names a file of layouts"));
    let turns = std::env::var("RORD_TURNS").map_or(5, |n| n.parse().unwrap());
    let layers = LAYERS.map(String::from).to_vec();
    let gds = Gds { files: vec![file.display().to_string()], layers, ..Gds::default() };
    for _ in 0..turns {
        let start = Instant::now();
        let read = rord_layouts::read(&file).unwrap();
        let reading = start.elapsed();
        let hierarchy = Hierarchy::new(read.library).unwrap();
        let sorting = start.elapsed() - reading;
        drop(hierarchy);
        // A folder of its own each time, so that nothing is there yet.
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Settings { folder: Some(folder.path().into()), ..Settings::default() });
        let start = Instant::now();
        let pictures = gds.load(&store).unwrap().fit().unwrap();
        let all = start.elapsed();
        let [reading, sorting, all] = [reading, sorting, all].map(|t| t.as_secs_f64() * 1e3);
        let covered: f64 = (0..LAYERS.len())
            .map(|layer| match pictures[0].samples(layer) {
                Samples::Eight(values) => values.iter().map(|v| f64::from(*v)).sum::<f64>() / 255.0,
                Samples::Sixteen(values) => values.iter().map(|v| f64::from(*v)).sum::<f64>() / 65_535.0,
            })
            .sum();
        let (width, height) = (pictures[0].width, pictures[0].height);
        println!("TIME {reading:.2} {sorting:.2} {all:.2} {width} {height} {covered:.0}");
    }
}

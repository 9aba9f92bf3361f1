#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

fn synth(tiles: usize, seed: u64) -> Synth {
    Synth { tiles, seed, size: 25.6, ..Synth::default() }
}

#[test]
fn a_tile_depends_on_the_seed_and_its_number_alone() {
    let three = synth(3, 4).layouts().unwrap();
    assert!(synth(1, 4).layouts().unwrap()[0] == three[0]);
    assert!(three[0].layers != three[1].layers && three[1].layers != three[2].layers);
    assert!(synth(1, 5).layouts().unwrap()[0].layers != three[0].layers);
    let threads = |n| {
        rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| synth(3, 4).load(&Store::default()))
    };
    assert!(threads(1) == threads(3));
}

#[test]
fn every_layer_is_there_and_none_is_everywhere() {
    for seed in 0..6 {
        let picture = Synth { seed, ..Synth::default() }.load(&Store::default()).unwrap().remove(0);
        assert_eq!((picture.width, picture.height), (512, 512));
        for (k, (name, ..)) in LAYERS.iter().enumerate() {
            let covered = picture.samples(k).shares().map(f64::from).sum::<f64>() / (512.0 * 512.0);
            assert_eq!(picture.layers[k].name, *name);
            assert!((0.0001..0.6).contains(&covered), "seed {seed}: {name} covers {covered}");
        }
    }
}

#[test]
fn shapes_lie_on_the_manufacturing_grid_and_wires_are_wide_enough_to_see() {
    for seed in 0..6 {
        let layout = synth(1, seed).layouts().unwrap().remove(0);
        for layer in &layout.layers {
            assert!(layer.polygons.points().iter().flatten().all(|v| v % 5 == 0), "seed {seed}: {}", layer.name);
            for shape in layer.polygons.iter() {
                let (width, height) = (shape[2][0] - shape[0][0], shape[2][1] - shape[0][1]);
                assert!(width.min(height) >= 140, "seed {seed}: {} {width} × {height}", layer.name);
            }
        }
        assert!(layout.bounds.low.iter().all(|v| v % 5 == 0));
    }
}

#[test]
fn cells_differ_and_logic_can_be_wired() {
    for seed in 0..4 {
        let library = cells::library(&Process::new(seed), seed);
        assert!(library.len() >= 50);
        let mut shapes: Vec<_> = library.iter().map(|cell| format!("{:?}", cell.shapes)).collect();
        shapes.sort();
        shapes.dedup();
        assert!(shapes.len() >= 45, "seed {seed}: {} different cells", shapes.len());
        for cell in library.iter().filter(|cell| cell.role == cells::Role::Logic) {
            assert!(cell.pins.iter().any(|pin| pin.output) && cell.pins.iter().any(|pin| !pin.output));
        }
    }
}

#[test]
fn wires_of_different_nets_never_meet() {
    for seed in 0..4 {
        let process = Process::new(seed);
        let library = cells::library(&process, seed);
        let window = Bounds { low: [0, 0], high: [40_000, 40_000] };
        let (mut canvas, mut stream) = (Canvas::new(window), Stream::new(seed, &[99]));
        let placed = place::place(&process, &library, &mut stream, &mut canvas);
        let wires = route::route(&process, &placed, &mut stream, &mut canvas);
        let mut owners = std::collections::HashMap::new();
        let mut nets = std::collections::HashSet::new();
        for (net, wire) in &wires {
            nets.insert(*net);
            let ([h0, t0], [h1, t1]) = (wire.from, wire.to);
            assert!(if wire.metal == 1 { h0 == h1 && h0 % 2 == 0 } else { t0 == t1 });
            for node in (h0.min(h1)..=h0.max(h1)).flat_map(|h| (t0.min(t1)..=t0.max(t1)).map(move |t| (h, t))) {
                let owner = owners.entry((wire.metal, node)).or_insert(*net);
                assert_eq!(owner, net, "seed {seed}: metal {} at {node:?}", wire.metal + 1);
            }
        }
        let outputs = placed.pins.iter().filter(|pin| pin.output).count();
        assert!(5 * nets.len() > 2 * outputs, "seed {seed}: {} of {outputs} outputs are wired", nets.len());
        assert!((0..3).all(|metal| wires.iter().any(|(_, wire)| wire.metal == metal && wire.from != wire.to)));
    }
}

#[test]
fn impossible_settings_are_error_values() {
    for size in [0.0, 1.9, 2001.0, f64::NAN] {
        assert!(matches!(
            Synth { size, ..synth(1, 0) }.load(&Store::default()),
            Err(DataError::BadSetting { setting: "size", .. })
        ));
    }
    let resolution = Synth { resolution: -1.0, ..synth(1, 0) };
    assert!(matches!(resolution.load(&Store::default()), Err(DataError::BadSetting { setting: "resolution", .. })));
    assert_eq!(synth(0, 0).load(&Store::default()), Ok(vec![]));
    assert_eq!(Synth { size: 2.0, ..synth(1, 0) }.load(&Store::default()).unwrap()[0].width, 20);
}

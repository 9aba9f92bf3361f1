//! One file of layouts: known by its content, drawn where no run has drawn it before.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rord_layouts::oasis::LayerName;
use rord_layouts::select::LayerChoice;
use rord_layouts::{Bounds, CellId, Hierarchy, LayerKey};

use super::Gds;
use super::draw::{Drawer, Layout, Scale, Source};
use crate::DataError;
use crate::store::manifest::{self, Manifest};
use crate::store::{DrawingKey, Shape, Store};

/// The most bytes that all samples of one picture may have.
const MAX_BYTES: u64 = 1 << 38;

/// A file whose pictures are drawn.
pub struct Drawn {
    /// What is known of it.
    pub manifest: Manifest,
    /// The key of its drawing.
    pub key: DrawingKey,
    /// What draws tiles that are missing.
    pub source: Arc<Source>,
    /// A hash of the file's content.
    pub content: [u8; 32],
    /// Whether another run has drawn it.
    pub cached: bool,
}

/// The file's own name, without folders.
pub fn own_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The size and the layers of a picture.
pub fn shape(picture: &manifest::Drawn) -> Shape {
    Shape { width: picture.size.0, height: picture.size.1, layers: picture.layers.len() }
}

/// Draws a file, or finds that this was done before.
pub fn draw(gds: &Gds, choice: &LayerChoice, path: &Path, store: &Store) -> Result<Drawn, DataError> {
    let content = hash(path)?;
    let (Gds { resolution, top, window, .. }, key) = (gds, gds.key(choice, content));
    let source =
        Arc::new(Source::new(path, content, choice.clone(), Scale { resolution: *resolution, window: *window }));
    if let Some(manifest) = store.manifest(&key) {
        return Ok(Drawn { manifest, key, source, content, cached: true });
    }
    let manifest = source.with_layout(|Layout { hierarchy: layout, warnings, choice, names }| {
        let tops = tops(path, layout, top.as_deref())?;
        let named = |id: &CellId| layout.cell(*id).map(|cell| cell.name.clone()).unwrap_or_default();
        let mut made = Manifest { file: path.display().to_string(), warnings: warnings.clone(), ..Manifest::default() };
        made.tops = layout.tops().iter().map(named).collect();
        let mut empty = Vec::new();
        for id in tops {
            let cell = named(&id);
            let counts: Vec<(LayerKey, u64)> = layout.counts(id).into_iter().filter(|(_, count)| *count > 0).collect();
            let present: Vec<LayerKey> = counts.iter().map(|(key, _)| *key).collect();
            let order = choice.order(&present);
            let Some(bounds) = bounds(path, layout, id, &order, &source.scale)? else {
                empty.push((cell, counts));
                continue;
            };
            let picture = plan(path, layout, cell, bounds, &order, &counts, &source.scale)?;
            made.pictures.push(picture);
            for key in present.into_iter().chain(order) {
                if let Some(name) = own_layer(names, key) {
                    made.names.insert(key.to_string(), name.to_owned());
                }
            }
        }
        if made.pictures.is_empty() {
            let present = empty.into_iter().max_by_key(|(_, counts)| counts.len()).map(|(_, counts)| counts);
            let shown = |(key, count): (LayerKey, u64)| match own_layer(names, key) {
                Some(name) => (format!("{name} {key}"), count),
                None => (key.to_string(), count),
            };
            let (wanted, present) = (gds.layers.clone(), present.unwrap_or_default());
            let (present, read) = (present.into_iter().map(shown).collect(), warnings.clone());
            return Err(DataError::NoPolygons { path: path.to_path_buf(), wanted, present, read });
        }
        if !empty.is_empty() {
            let names: Vec<&str> = empty.iter().map(|(name, _)| name.as_str()).take(5).collect();
            made.warnings.push(format!("{} cells have nothing to draw: {} …", empty.len(), names.join(", ")));
        }
        for (number, picture) in made.pictures.iter_mut().enumerate() {
            let drawer = Drawer::new(source.clone(), &picture.top, picture.size);
            let shares = store.draw(&key, number as u32, shape(picture), &drawer, &made.file)?;
            picture.layers.iter_mut().zip(shares).for_each(|(layer, share)| layer.share = share);
        }
        Ok(made)
    });
    // The layout is not needed any more unless a tile gets lost.
    source.forget();
    let manifest = manifest?;
    store.keep_manifest(&key, &manifest)?;
    Ok(Drawn { manifest, key, source, content, cached: false })
}

/// About what a layout takes in memory, in bytes, by the size of its file.
pub fn cost(path: &Path) -> u64 {
    let name = path.to_string_lossy().to_lowercase();
    // A placed cell takes 30 bytes in GDSII and 100 in memory; OASIS and gzip pack ten to one.
    let times = if name.ends_with(".gz") || name.contains(".oas") { 40 } else { 4 };
    std::fs::metadata(path).map_or(0, |metadata| metadata.len().saturating_mul(times))
}

/// What a file calls a layer.
fn own_layer(names: &[LayerName], key: LayerKey) -> Option<&str> {
    let within = |[from, to]: [u32; 2], at: u32| (from..=to).contains(&at);
    let holds = |name: &&LayerName| within(name.layers, key.layer) && within(name.datatypes, key.datatype);
    names.iter().find(holds).map(|name| name.name.as_str()).filter(|name| !name.is_empty())
}

/// A hash of a file's content, read piece by piece.
pub fn hash(path: &Path) -> Result<[u8; 32], DataError> {
    let (mut file, _) = rord_files::open(path)?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(*hasher.finalize().as_bytes()),
            Ok(count) => _ = hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(crate::files::unreadable(path, &error)),
        }
    }
}

/// The cells to draw.
fn tops(path: &Path, layout: &Hierarchy, pattern: Option<&str>) -> Result<Vec<CellId>, DataError> {
    let Some(pattern) = pattern else { return Ok(layout.tops()) };
    let found = layout.matching(pattern);
    if found.is_empty() {
        let name = |id: &CellId| layout.cell(*id).map(|cell| cell.name.clone());
        let tops = layout.tops().iter().filter_map(name).collect();
        return Err(DataError::NoSuchCell { path: path.to_path_buf(), cell: pattern.into(), tops });
    }
    Ok(found)
}

/// What is drawn of a cell, in database units; `None` where there is nothing.
pub fn bounds(
    path: &Path,
    layout: &Hierarchy,
    top: CellId,
    wanted: &[LayerKey],
    scale: &Scale,
) -> Result<Option<Bounds>, DataError> {
    let hierarchy = |error| DataError::Hierarchy { path: path.to_path_buf(), error };
    let Some(all) = layout.bounds(top, &|key| wanted.contains(&key)).map_err(hierarchy)? else { return Ok(None) };
    let Some(window) = scale.window else { return Ok(Some(all)) };
    let units =
        window.map(|um| (um / layout.library().unit).round().clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32);
    let [x0, y0, x1, y1] = units;
    let Bounds { low, high } = all;
    let cut = Bounds { low: [low[0].max(x0), low[1].max(y0)], high: [high[0].min(x1), high[1].min(y1)] };
    Ok((cut.low[0] < cut.high[0] && cut.low[1] < cut.high[1]).then_some(cut))
}

/// What a picture of a cell will be.
fn plan(
    path: &Path,
    layout: &Hierarchy,
    top: String,
    bounds: Bounds,
    order: &[LayerKey],
    counts: &[(LayerKey, u64)],
    scale: &Scale,
) -> Result<manifest::Drawn, DataError> {
    let unit = layout.library().unit;
    let (width, height) = scale.pixels(unit, &bounds)?;
    let bytes = width.saturating_mul(height).saturating_mul(order.len().max(1) as u64);
    if bytes > MAX_BYTES {
        let name = path.display().to_string();
        return Err(DataError::PictureTooLarge { name, width, height, layers: order.len(), limit: MAX_BYTES });
    }
    let layers = order.iter().map(|key| manifest::Layer { name: key.to_string(), share: 0.0 }).collect();
    Ok(manifest::Drawn {
        top,
        size: (width as usize, height as usize),
        size_um: (bounds.width() as f64 * unit, bounds.height() as f64 * unit),
        corner_um: (f64::from(bounds.low[0]) * unit, f64::from(bounds.high[1]) * unit),
        layers,
        present: counts.iter().map(|(key, count)| (key.to_string(), *count)).collect(),
        ..manifest::Drawn::default()
    })
}

/// The path of a file of layouts.
impl Source {
    /// Where it lies.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }
}

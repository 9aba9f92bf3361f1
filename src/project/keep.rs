//! What a run keeps so that it can be repeated: the pipeline, all that it imports, and every parameter.
//!
//! An import is kept at its place beside the pipeline where it can be. One that lies elsewhere, or where the run has files of
//! its own, is kept in `imports/` under a name of its own, and the paths in the kept texts lead there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use rord_lang::ast::ExprKind;
use rord_lang::constant;
use rord_lang::parse;
use rord_lang::report::{Report, runtime};
use rord_lang::source::{FileId, SourceKind, Span};
use rord_record::{PARAMS, PIPELINE, fingerprint};

use super::files::real;
use super::load::Loaded;
use super::params;

/// Where imports are kept that have no place beside the pipeline.
const ELSEWHERE: &str = "imports";

impl Loaded {
    /// The files that repeat a run of this pipeline: the place of each, seen from the run's folder, and its content.
    pub fn kept(&self) -> Result<Vec<(PathBuf, String)>, Report> {
        let places = self.places();
        let kept = |file: &FileId, place: &PathBuf| (place.clone(), self.kept_text(*file, place, &places));
        let mut files: Vec<(PathBuf, String)> = places.iter().map(|(file, place)| kept(file, place)).collect();
        files.sort();
        let (text, left) = params::text(&self.pipeline.params);
        if let [name, ..] = left.as_slice() {
            let title = format!("the run cannot be kept: no file of parameters holds the value of `{name}`");
            let help = "there is a control character in it; rename the file that it names";
            return Err(runtime::failed("R0914", &title, help));
        }
        files.push((PARAMS.into(), format!("# The parameters of this run; --params takes them, too.\n{text}")));
        Ok(files)
    }

    /// Where each text is kept.
    fn places(&self) -> BTreeMap<FileId, PathBuf> {
        let name = |file| self.sources.get(file).map(|s| Path::new(&s.name)).unwrap_or(Path::new(""));
        let folder = name(self.file).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().ok();
        let beside = |file: FileId| {
            let real = real(name(file))?;
            let place = real.strip_prefix(folder.as_ref()?).ok()?;
            free(place).then(|| place.to_path_buf())
        };
        let imports: Vec<FileId> = self.sources.of_kind(SourceKind::Import).map(|(file, _)| file).collect();
        let (near, far): (Vec<_>, Vec<_>) =
            imports.into_iter().map(|file| (file, beside(file))).partition(|i| i.1.is_some());
        let mut places: BTreeMap<FileId, PathBuf> = BTreeMap::from([(self.file, PathBuf::from(PIPELINE))]);
        places.extend(near.into_iter().filter_map(|(file, place)| Some((file, place?))));
        for (file, _) in far {
            let name = name(file).file_name().map_or("import.rord".into(), |n| n.to_string_lossy());
            let (stem, end) = name.rsplit_once('.').map_or((&*name, String::new()), |(s, e)| (s, format!(".{e}")));
            let numbered = (2..).map(|n: u32| format!("{stem}-{n}{end}"));
            let mut names = std::iter::once(name.to_string()).chain(numbered).map(|n| Path::new(ELSEWHERE).join(n));
            let place = names.find(|place| !places.values().any(|taken| collide(place, taken)));
            places.extend(place.map(|place| (file, place)));
        }
        places
    }

    /// A text as it is kept at a place: its imports lead to where these are kept.
    fn kept_text(&self, file: FileId, place: &Path, places: &BTreeMap<FileId, PathBuf>) -> String {
        let mut text = self.sources.get(file).map(|s| s.text.to_string()).unwrap_or_default();
        let folder = place.parent().unwrap_or(Path::new(""));
        let moved = |(span, to): (Span, FileId)| {
            let to = places.get(&to)?;
            let written = self.sources.text(span);
            let path = match parse::expression(written, file, 0).ok()?.kind {
                ExprKind::Text(path) => path,
                _ => return None,
            };
            (!leads(folder, &path, to)).then(|| (span, constant::quoted(&between(folder, to))))
        };
        let mut edits: Vec<(Span, String)> = self.sources.imports_of(file).filter_map(moved).collect();
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, path) in edits {
            text.replace_range(span.start as usize..span.end as usize, &path);
        }
        text
    }
}

/// The hash of the texts that a run keeps, each with its place: what is run, to the last letter and the last parameter.
pub fn text_hash(kept: &[(PathBuf, String)]) -> String {
    let mut hash = blake3::Hasher::new();
    for (place, text) in kept {
        let place = place.to_string_lossy();
        for part in [place.as_bytes(), text.as_bytes()] {
            // The length of each is hashed with it, so that parts are not confused.
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    fingerprint(&hash.finalize(), 16)
}

/// True for a place at which no file of the run itself can lie, now or in a later version: these lie at the top of its
/// folder, and only `pipeline.rord` is a pipeline.
fn free(place: &Path) -> bool {
    let parts: Option<Vec<&str>> = place.components().map(|c| c.as_os_str().to_str()).collect();
    match parts.as_deref() {
        Some([name]) => name.ends_with(".rord") && !name.eq_ignore_ascii_case(PIPELINE),
        Some([folder, ..]) => !folder.contains('.'),
        _ => false,
    }
}

/// True where two files cannot both be there, also where a file system does not distinguish `A` from `a`.
fn collide(a: &Path, b: &Path) -> bool {
    let lower = |path: &Path| PathBuf::from(path.to_string_lossy().to_lowercase());
    let (a, b) = (lower(a), lower(b));
    a.starts_with(&b) || b.starts_with(&a)
}

/// True where a path, as it is written in a file of `folder`, leads to the file `to` by itself.
fn leads(folder: &Path, path: &str, to: &Path) -> bool {
    let mut at = folder.to_path_buf();
    let mut down = false;
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            // Up again from a folder that may not be kept leads nowhere.
            Component::ParentDir if !down && at.pop() => {}
            Component::Normal(name) => {
                down = true;
                at.push(name);
            }
            _ => return false,
        }
    }
    at == to
}

/// The path from a folder to a file, with `/` as imports have it.
pub fn between(folder: &Path, file: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_string(), from.len() - same);
    let down = to.iter().skip(same).map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_where_a_run_has_no_files() {
        for place in ["nets.rord", "lib/nets.rord", "lib/nets", "imports/a b.rord", "é.rord", "lib/run.yaml"] {
            assert!(free(Path::new(place)), "{place}");
        }
        for place in ["pipeline.rord", "Pipeline.RORD", "run.yaml", "nets", "best.safetensors", "run.yaml/a.rord", ""] {
            assert!(!free(Path::new(place)), "{place}");
        }
    }

    #[test]
    fn a_path_stays_where_it_leads_to_the_kept_file() {
        for (folder, path, to) in [
            ("", "a.rord", "a.rord"),
            ("", "./lib/a.rord", "lib/a.rord"),
            ("lib/deep", "../a.rord", "lib/a.rord"),
            ("lib", "../imports/a.rord", "imports/a.rord"),
        ] {
            assert!(leads(Path::new(folder), path, Path::new(to)), "{folder} {path}");
        }
        for (folder, path, to) in [
            ("", "a.rord", "imports/a.rord"),
            ("", "lib/../a.rord", "a.rord"),
            ("", "../a.rord", "a.rord"),
            ("", "/a.rord", "a.rord"),
        ] {
            assert!(!leads(Path::new(folder), path, Path::new(to)), "{folder} {path}");
        }
        assert_eq!(between(Path::new("lib/deep"), Path::new("lib/é b.rord")), "../é b.rord");
        assert_eq!(between(Path::new(""), Path::new("imports/a.rord")), "imports/a.rord");
        assert!(collide(Path::new("imports/A.rord"), Path::new("imports/a.rord")));
        assert!(collide(Path::new("imports/a"), Path::new("imports/a/b")));
        assert!(!collide(Path::new("imports/a"), Path::new("imports/ab")));
    }
}

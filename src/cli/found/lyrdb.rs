//! KLayout's marker database: Tools > Marker Browser opens it over the layout.

use super::{Found, Shown};

/// The whole file. Answers in pictures, which have no µm, are left out.
pub fn text(found: &Found<'_>) -> String {
    let tops: Vec<&str> = found.chips.iter().map(|chip| chip.top.as_str()).collect();
    let top = tops.first().copied().unwrap_or_default();
    let mut cells: Vec<&str> = tops.clone();
    cells.sort_unstable();
    cells.dedup();
    let mut categories = String::new();
    let mut items = String::new();
    for (asked, hits) in found.all() {
        let plain: String = asked.name.chars().filter(|c| !c.is_control()).collect();
        let name = quoted(&plain);
        categories += &format!(
            "  <category>\n   <name>{}</name>\n   <description>{}</description>\n  </category>\n",
            escaped(&plain),
            escaped(&format!("where {plain} was found"))
        );
        for hit in hits {
            let Some((chip, to_um)) = found.chip(hit).and_then(|chip| Some((chip, Shown::to_um(chip)?))) else {
                continue;
            };
            let corners = asked.corners(&hit.answer.by).map(|corner| to_um.apply(corner));
            let points: Vec<String> = corners.iter().map(|[x, y]| format!("{x:.6},{y:.6}")).collect();
            let (turn, scale, mirrored) = hit.answer.by.parts();
            let what = format!(
                "score {:.2}, turned {:.1} degrees{}, scale {scale:.3}",
                hit.answer.score,
                turn.to_degrees(),
                if mirrored { ", mirrored" } else { "" }
            );
            items += &format!(
                "  <item>\n   <tags/>\n   <category>{}</category>\n   <cell>{}</cell>\n   <visited>false</visited>\n   \
                 <multiplicity>1</multiplicity>\n   <values>\n    <value>polygon: ({})</value>\n    <value>text: '{}'\
                 </value>\n   </values>\n  </item>\n",
                escaped(&name),
                escaped(&chip.top),
                points.join(";"),
                escaped(&what)
            );
        }
    }
    let cells: String =
        cells.iter().map(|name| format!("  <cell>\n   <name>{}</name>\n  </cell>\n", escaped(name))).collect();
    let original = found.layouts().first().map_or(String::new(), |file| file.display().to_string());
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<report-database>\n <description>Found by rord</description>\n \
         <original-file>{}</original-file>\n <generator>rord-run find</generator>\n <top-cell>{}</top-cell>\n <tags/>\n \
         <categories>\n{categories} </categories>\n <cells>\n{cells} </cells>\n <items>\n{items} </items>\n\
         </report-database>\n",
        escaped(&original),
        escaped(top)
    )
}

/// A name as an item refers to its category: in quotes where it has other characters than letters, digits, `_` and `$`, with
/// bytes that are not ASCII by their octal numbers. Where a category or a cell is listed its name stands as it is.
fn quoted(name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
        return name.to_string();
    }
    let mut out = String::from("'");
    for byte in name.bytes() {
        match byte {
            b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out += &format!("\\{byte:03o}"),
        }
    }
    out + "'"
}

fn escaped(text: &str) -> String {
    let kept = |c: &char| !c.is_control();
    let text: String = text.chars().filter(kept).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_escaped() {
        assert_eq!(quoted("top_1"), "top_1");
        assert_eq!(quoted("a/b's.png"), "'a/b\\'s.png'");
        assert_eq!(quoted("cell:a\\b"), "'cell:a\\\\b'");
        // As KLayout writes it.
        assert_eq!(quoted("ünd"), "'\\303\\274nd'");
        assert_eq!(escaped("a<b & c\u{1b}"), "a&lt;b &amp; c");
    }
}

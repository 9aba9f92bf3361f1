//! Lists in a file: comma-separated values or JSON lines, whichever its first line is.

use std::path::Path;

use serde_json::Value;

use super::{LONGEST, Listed, homography};
use crate::DataError;
use crate::geometry::Homography;

/// The pairs of a list. Paths start in its folder; blank lines and those behind a `#` say nothing, and a first line without
/// a number is a heading.
pub fn read(path: &Path) -> Result<Vec<Listed>, DataError> {
    let bytes = rord_files::read(path, LONGEST)?;
    let wrong = |line: usize, reason: String| DataError::BadList { path: path.to_path_buf(), line, reason };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
        wrong(line, "no UTF-8 text".into())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut pairs = Vec::new();
    let mut first = true;
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (a, b, h) = match line.starts_with('{') {
            true => of_json(line),
            false => {
                let fields = fields(line);
                // `a, b, h11, …` names the columns, and so does `a, b`.
                let names = fields.iter().skip(2).any(|f| f.parse::<f64>().is_err());
                let heading = names || fields.len() == 2 && !fields.iter().any(|f| folder.join(f).exists());
                if std::mem::replace(&mut first, false) && heading {
                    continue;
                }
                of_fields(&fields)
            }
        }
        .map_err(|reason| wrong(number, reason))?;
        first = false;
        pairs.push(Listed { a: folder.join(a), b: folder.join(b), h });
    }
    Ok(pairs)
}

type Pair = (String, String, Homography);

fn of_fields(fields: &[String]) -> Result<Pair, String> {
    let (Some(a), Some(b)) = (fields.first(), fields.get(1)) else {
        return Err("one value; a line is  a.png, b.png, h11, …, h33".into());
    };
    let number = |field: &String| field.parse::<f64>().map_err(|_| format!("{field:?} is no number"));
    let numbers: Vec<f64> = fields.iter().skip(2).map(number).collect::<Result<_, _>>()?;
    Ok((a.clone(), b.clone(), of_numbers(&numbers)?))
}

/// Without numbers the pictures lie over each other.
fn of_numbers(numbers: &[f64]) -> Result<Homography, String> {
    match numbers {
        [] => Ok(Homography::linear([[1.0, 0.0], [0.0, 1.0]])),
        numbers => homography(numbers),
    }
}

fn of_json(line: &str) -> Result<Pair, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |key: &str| {
        value.get(key).and_then(Value::as_str).map(str::to_string).ok_or_else(|| format!("no text `{key}`"))
    };
    let mut numbers = Vec::new();
    if let Some(rows) = value.get("H") {
        let rows = rows.as_array().ok_or("`H` is no list")?;
        let flat = rows.iter().flat_map(|row| row.as_array().map_or(std::slice::from_ref(row), Vec::as_slice));
        for x in flat {
            numbers.push(x.as_f64().ok_or_else(|| format!("{x} in `H` is no number"))?);
        }
    }
    Ok((text("a")?, text("b")?, of_numbers(&numbers)?))
}

/// The values of a line. One in double quotes may hold commas, and two quotes for one.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '"' if quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' if quoted || field.trim().is_empty() => {
                quoted = !quoted;
            }
            ',' if !quoted => all.push(std::mem::take(&mut field).trim().to_string()),
            c => field.push(c),
        }
    }
    all.push(field.trim().to_string());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_between_commas() {
        assert_eq!(fields("a.png, b c.png ,1"), ["a.png", "b c.png", "1"]);
        assert_eq!(fields("\"a, \"\"b\"\".png\",\"c\""), ["a, \"b\".png", "c"]);
        assert_eq!(fields(""), [""]);
    }
}

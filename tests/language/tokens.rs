//! One wrong token is one mistake: a token of a shipped pipeline is left out, written twice, or exchanged with the next,
//! and what is said is counted.

use rord_lang::check::{ImportError, Importer, Outside, check};
use rord_lang::lex::{TokenKind, lex};
use rord_lang::report::Severity;
use rord_lang::source::{FileId, SourceKind};
use rord_ops as ops;

/// Imports from the folder of the shipped pipelines.
struct Shipped;

impl Importer for Shipped {
    fn import(&self, path: &str, _: &str) -> Result<(String, String), ImportError> {
        let text = std::fs::read_to_string(format!("pipelines/{path}"));
        text.map(|t| (path.to_string(), t)).map_err(|e| ImportError::Unreadable(e.to_string()))
    }
}

/// The codes and titles of all errors of a text.
fn errors(text: &str) -> Vec<(&'static str, String)> {
    thread_local! {
        static LANGUAGE: (rord_lang::vocabulary::Vocabulary, rord_lang::source::Sources) = ops::vocabulary();
    }
    LANGUAGE.with(|(vocabulary, sources)| {
        let mut sources = sources.clone();
        let file = sources.add(SourceKind::Main, "test.rord", text);
        let (_, reports) = check(&mut sources, file, vocabulary, &Shipped, &Outside::default());
        let wrong = reports.into_iter().filter(|r| r.severity == Severity::Error);
        wrong.map(|r| (r.code, r.title)).collect()
    })
}

/// Every text with one token wrong: what was done, and the text.
fn mistakes(text: &str) -> Vec<(String, String)> {
    let (tokens, ..) = lex(text, FileId(0));
    let spans: Vec<(usize, usize)> = tokens
        .iter()
        .filter(|t| !matches!(t.kind, TokenKind::End | TokenKind::Doc(_)))
        .map(|t| (t.span.start as usize, t.span.end as usize))
        .collect();
    let mut made = Vec::new();
    for (at, (start, end)) in spans.iter().copied().enumerate() {
        let (before, token, after) = (&text[..start], &text[start..end], &text[end..]);
        let line = before.matches('\n').count() + 1;
        made.push((format!("{line}: without `{token}`"), format!("{before}{after}")));
        made.push((format!("{line}: `{token}` twice"), format!("{before}{token} {token}{after}")));
        if let Some((next, last)) = spans.get(at + 1).copied() {
            let (between, other) = (&text[end..next], &text[next..last]);
            let swapped = format!("{before}{other}{between}{token}{}", &text[last..]);
            made.push((format!("{line}: `{token}` and `{other}` exchanged"), swapped));
        }
    }
    made
}

#[test]
fn one_wrong_token_is_one_mistake() {
    let (mut all, mut many, mut worst) = (0usize, Vec::new(), 0);
    let mut files: Vec<_> = std::fs::read_dir("pipelines").unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "rord"));
    files.sort();
    // Every file in a thorough run, and every thirteenth mistake of each otherwise.
    let every = if std::env::var_os("RORD_ALL_TOKENS").is_some() { 1 } else { 13 };
    for (number, path) in files.iter().enumerate() {
        let text = std::fs::read_to_string(path).unwrap();
        for (what, wrong) in mistakes(&text).into_iter().skip(number % every).step_by(every) {
            let found = errors(&wrong);
            all += 1;
            worst = worst.max(found.len());
            if found.len() > 2 {
                let titles: Vec<String> = found.iter().map(|(code, title)| format!("{code} {title}")).collect();
                many.push(format!("{}:{what}: {}\n    {}", path.display(), found.len(), titles.join("\n    ")));
            }
        }
    }
    let share = many.len() as f64 / all as f64;
    println!("{} of {all} mistakes ({:.2} %) give more than two reports, the worst {worst}", many.len(), 100.0 * share);
    assert!(share < 0.025 && worst <= 10, "{} of {all}, the worst {worst}\n{}", many.len(), many.join("\n"));
}

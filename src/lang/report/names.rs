//! R02: a name that nothing stands for, or that stands for two things.

use super::{Report, closest, list, plural};
use crate::source::Span;

fn known_list(known: &[impl AsRef<str>]) -> String {
    let mut sorted: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.join(", ")
}

fn guess<'a>(found: &str, known: &'a [impl AsRef<str>]) -> Option<&'a str> {
    closest(found, known.iter().map(AsRef::as_ref))
}

/// A call of something that does not exist.
pub fn no_such_operation(span: Span, name: &str, near: Option<&str>, usage: Option<&str>) -> Report {
    let report =
        Report::error("R0201", format!("there is no operation called `{name}`")).label(span, "not an operation");
    let all = "`rord-run explain ops` lists all operations.";
    match (near, usage) {
        (Some(near), Some(usage)) => report.help(format!("did you mean `{usage}`?\n{all}")).suggest(span, near),
        _ => report.help(all),
    }
}

/// A variable that is not defined; `word` is what it may be among operations and words.
pub fn not_in_scope(span: Span, name: &str, near: Option<(String, Span)>, word: Option<&str>) -> Report {
    let report = Report::error("R0202", format!("nothing called `{name}` is in scope")).label(span, "not defined");
    if let Some(word) = word.filter(|w| near.is_none() || matches!(*w, "none" | "true" | "false")) {
        let report = report.help(format!("did you mean `{word}`?"));
        // `None` and `True` are the same words with a capital.
        return match name.to_lowercase() == word && matches!(word, "none" | "true" | "false") {
            true => report.fix(span, word),
            false => report.suggest(span, word),
        };
    }
    if let Some((other, place)) = &near
        && let Some((a, b)) = super::elsewhere::drawn_alike(name, other)
    {
        // The one in plain letters is the one that was meant.
        let (report, text) =
            (report.label(*place, "a name that is drawn alike is defined here"), |c: char| u32::from(c));
        let help = format!(
            "`{a}` is U+{:04X} here and `{b}` is U+{:04X} there: write both with the same letter",
            text(a),
            text(b)
        );
        return match other.is_ascii() {
            true => report.help(help).fix(span, other.clone()),
            false => report.help(help).fix(*place, name),
        };
    }
    match near {
        Some((near, place)) => report
            .label(place, "a similar name is defined here")
            .help(format!("did you mean `{near}`?"))
            .suggest(span, near),
        None => report.help(format!("define it above:  let {name} = …")),
    }
}

/// An argument that an operation does not have.
pub fn no_such_argument(span: Span, op: &str, name: &str, near: Option<&str>, usage: &str) -> Report {
    let report =
        Report::error("R0203", format!("`{op}` has no argument called `{name}`")).label(span, "unknown argument");
    match near {
        Some(near) => report.help(format!("did you mean `{near}`?\n{usage}")).suggest(span, near),
        None => report.help(usage.to_string()),
    }
}

/// A field that a section does not have.
pub fn no_such_section_field(span: Span, section_span: Span, section: &str, name: &str, known: &[&str]) -> Report {
    let report = Report::error("R0204", format!("`{section}` has no field called `{name}`"))
        .label(span, "unknown field")
        .label(section_span, "");
    let all = match known {
        [] => format!("`{section}` has no fields yet."),
        _ => format!("Fields of `{section}`: {}.", known_list(known)),
    };
    match (super::elsewhere::field(section, name), guess(name, known)) {
        (Some(here), _) => report.help(format!("{here}\n{all}")),
        (None, Some(near)) => report.help(format!("did you mean `{near}`? {all}")).suggest(span, near),
        (None, None) => report.help(all),
    }
}

/// An argument that was left out, and the name it defaults to is missing too; `inside` of a function with the type that
/// an argument of its own needs.
pub fn missing_ambient(span: Span, op: &str, param: &str, shown: &str, ambient: &str, inside: Option<&str>) -> Report {
    let from = ambient.trim_end_matches("_r");
    let named = if from == ambient {
        format!("let {{ {ambient} }} = net(image)")
    } else {
        format!("let {{ {from} as {ambient} }} = net(image_r)")
    };
    let first = match inside {
        Some(ty) => format!("take it as an argument of the function:  {ambient}: {ty}"),
        None => format!("name it:  {named}"),
    };
    Report::error("R0205", format!("`{op}` needs `{param}`, and nothing called `{ambient}` is in scope"))
        .label(span, format!("argument `{shown}` defaults to the name `{ambient}`"))
        .help(format!("{first}\nor pass it:  {op}(…, {param} = …)"))
}

/// A size where a number belongs.
/// `instead` is what says it as a number: `size(x, row)`.
pub fn size_as_value(span: Span, name: &str, instead: Option<&str>) -> Report {
    let report =
        Report::error("R0202", format!("the size `{name}` is not a value")).label(span, "sizes stand in types only");
    let mean = "to divide by the number of places, write  mean(…),  or  per = batch  to keep one number for each";
    match instead {
        Some(instead) => report.help(format!("as a number it is  {instead};\n{mean}")).suggest(span, instead),
        None => report.help(format!("{mean};\na number from outside is an argument:  n: Count")),
    }
}

/// A second definition of a name.
pub fn defined_twice(span: Span, name: &str, first: Span, rename: Option<&str>) -> Report {
    let report = Report::error("R0206", format!("`{name}` is defined twice"))
        .label(span, "defined again here")
        .label(first, "first defined here");
    match rename {
        Some(rename) => report.help(format!("rename on the way in:  {{ {name} as {rename} }}")),
        None => report.help("choose another name for one of them"),
    }
}

/// A name that is used above its definition.
pub fn defined_later(span: Span, name: &str, later: Span) -> Report {
    Report::error("R0208", format!("`{name}` is used before it is defined"))
        .label(span, "not defined yet")
        .label(later, "defined here")
        .help("a file is read from top to bottom: move the definition up")
}

/// A function that calls itself.
pub fn calls_itself(span: Span, name: &str, defined: Span) -> Report {
    Report::error("R0208", format!("`{name}` cannot call itself"))
        .label(span, "calls what is being defined")
        .label(defined, "defined here")
        .help(
            "only a `fn` or a `layer` can, where a Count gets smaller at each call: put the lines that repeat into one",
        )
}

/// A call of a function by itself that leads nowhere: no count gets smaller. `found` says which count is what.
pub fn never_ends(span: Span, name: &str, defined: Span, counts: &[String]) -> Report {
    let label = match counts {
        [] => "no argument is a Count".to_string(),
        counts => format!("{} here", counts.join(", ")),
    };
    let help = match counts {
        [] => format!(
            "give `{name}` a parameter that counts down:  depth: Count,  with  {name}(…, depth - 1)  and  \
             if depth == 0 then … else …"
        ),
        _ => "let one of its counts get smaller at each call:  depth - 1".to_string(),
    };
    Report::error("R0250", format!("`{name}` calls itself, and no count gets smaller"))
        .label(span, label)
        .label(defined, "defined here")
        .help(help)
}

/// A call of a function by itself with a count below 0.
pub fn never_stops(span: Span, name: &str, param: &str, given: &str, defined: Span) -> Report {
    Report::error("R0250", format!("`{name}` calls itself beyond `{param} = 0`"))
        .label(span, format!("`{param}` would be {given}"))
        .label(defined, "defined here")
        .help(format!("end there:  if {param} == 0 then … else …"))
}

/// A function that calls itself and does not state what it returns.
pub fn needs_result(span: Span, name: &str, defined: Span) -> Report {
    Report::error("R0251", format!("`{name}` calls itself, so it must state what it returns"))
        .label(defined, "no type behind the parameters")
        .label(span, "what is this?")
        .help(format!("write the type of its result:  {name}(…) -> Feat[B, width, h, w]@f"))
}

/// More arguments than parameters.
pub fn too_many_arguments(span: Span, op: &str, most: usize, usage: &str) -> Report {
    Report::error("R0209", format!("`{op}` takes {}, and this is one more", plural(most, "argument")))
        .label(span, "one too many")
        .help(usage.to_string())
}

/// An argument without a default that was left out.
pub fn missing_argument(span: Span, op: &str, param: &str, usage: &str) -> Report {
    Report::error("R0210", format!("`{op}` needs its argument `{param}`"))
        .label(span, format!("`{param}` is missing"))
        .help(usage.to_string())
}

/// The same argument or field twice.
pub fn given_twice(span: Span, name: &str, first: Span) -> Report {
    Report::error("R0211", format!("`{name}` is given twice"))
        .label(span, "given again here")
        .label(first, "first given here")
        .help("remove one of them")
}

/// A field of something that has other fields.
pub fn no_such_field(span: Span, name: &str, of: &str, known: &[&str]) -> Report {
    let report = Report::error("R0212", format!("`{of}` has no `{name}`")).label(span, "unknown field");
    let all = format!("`{of}` has: {}.", known_list(known));
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{near}`? {all}")).suggest(span, near),
        None => report.help(all),
    }
}

/// A call of something that is no name.
pub fn not_callable(span: Span, text: Option<&str>) -> Report {
    let report = Report::error("R0213", "only operations, functions, layers and models can be called")
        .label(span, "this is none of them");
    match text.and_then(|t| t.rsplit_once('.')) {
        Some((module, name)) if !module.contains(['(', ' ']) => report.help(format!(
            "nothing here is called `{name}`; operations have no module in front:  `rord-run explain ops` lists them"
        )),
        _ => report.help("a call is a name with brackets:  f(x), or  x |> f"),
    }
}

/// A call as a method, `x.conv(3)`, of something that is an operation here; with the edits that make a call of it.
/// `same` is true where the operation has the method's own name: only then is it certain that it is meant.
pub fn method(span: Span, of: &str, op: &str, same: bool, edits: Option<[(Span, String); 2]>) -> Report {
    let whole = of.matches('(').count() == of.matches(')').count() && of.chars().count() <= 40;
    let of = if whole { of } else { "…" };
    let report = Report::error("R0213", "values have no methods")
        .label(span, format!("`{op}` is an operation: what it works on is its first argument"))
        .help(format!("write  {op}({of}, …)  or  {of} |> {op}(…)"));
    edits.into_iter().flatten().fold(report, |report, (place, text)| match same {
        true => report.fix(place, text),
        false => report.suggest(place, text),
    })
}

/// A call as a method of something that is called nothing like it here.
pub fn no_method(span: Span, name: &str) -> Report {
    Report::error("R0213", "values have no methods")
        .label(span, format!("nothing here is called `{name}`"))
        .help("`rord-run explain ops` lists what there is, to be called as  f(x)  or  x |> f")
}

/// An operation of another library, with its module: `nn.Conv2d`.
pub fn module(span: Span, text: &str, op: &str) -> Report {
    Report::error("R0213", format!("there is no `{text}` here"))
        .label(span, "a name of another library")
        .help(format!("it is called `{op}`:  `rord-run explain {op}` says how"))
        .suggest(span, op)
}

/// What is not here of a call of another library.
pub enum Missing<'a> {
    /// The operation.
    Operation(&'a str),
    /// The operation, with a module or as a method.
    Module(&'a str),
    /// An argument of an operation that is here, and its place.
    Argument(&'a str, &'a str, Span),
}

/// A call of another library that has a counterpart here: the call as it is written here, where its arguments say all,
/// and an edit that writes it.
pub fn translated(
    span: Span,
    missing: &Missing<'_>,
    written: Option<&str>,
    usage: Option<&str>,
    note: &str,
    edit: Option<(Span, String)>,
) -> Report {
    let report = match missing {
        Missing::Operation(name) => Report::error("R0201", format!("there is no operation called `{name}`"))
            .label(span, "a name of another library"),
        Missing::Module(name) => {
            Report::error("R0213", format!("there is no `{name}` here")).label(span, "a name of another library")
        }
        Missing::Argument(op, name, place) => {
            Report::error("R0203", format!("`{op}` has no argument called `{name}`")).label(*place, "unknown argument")
        }
    };
    let first = match (written, usage) {
        (Some(written), _) => format!("write  {written}\n"),
        (None, Some(usage)) => format!("it is called  {usage}\n"),
        _ => String::new(),
    };
    let report = report.help(format!("{first}{note}").trim_end());
    match edit {
        Some((place, text)) => report.suggest(place, text),
        None => report,
    }
}

/// A call of a variable.
pub fn not_a_function(span: Span, name: &str, defined: Span) -> Report {
    Report::error("R0213", format!("`{name}` is a value and cannot be called"))
        .label(span, "called here")
        .label(defined, "defined here")
        .help("to multiply, write `*`")
}

/// An operation where a value must stand.
pub fn operation_as_value(span: Span, name: &str, usage: &str) -> Report {
    Report::error("R0214", format!("`{name}` is an operation and needs its arguments"))
        .label(span, "used as a value here")
        .help(usage.to_string())
}

/// A tensor of the top level, used inside a function.
pub fn outside_tensor(span: Span, name: &str, defined: Span) -> Report {
    Report::error("R0215", format!("`{name}` cannot be seen in here"))
        .label(span, "a function or model sees its arguments and the file's parameters only")
        .label(defined, "defined outside")
        .help("pass it in as an argument")
}

/// A word that an argument does not know.
pub fn no_such_word(span: Span, word: &str, param: &str, known: &[&str]) -> Report {
    let report = Report::error("R0216", format!("`{param}` knows no `{word}`")).label(span, "unknown word");
    match guess(word, known) {
        Some(near) => report
            .help(format!("did you mean `{near}`? `{param}` is one of: {}", known_list(known)))
            .suggest(span, near),
        None => report.help(format!("`{param}` is one of: {}", known_list(known))),
    }
}

/// Something other than a word where one of a few must stand.
pub fn no_word(span: Span, param: &str, known: &[&str]) -> Report {
    Report::error("R0216", format!("`{param}` is one of a few words"))
        .label(span, "not one of them")
        .help(format!("`{param}` is one of: {}", known_list(known)))
}

/// A size without a meaning.
pub fn no_such_size(span: Span, name: &str, known: &[&str]) -> Report {
    let report = Report::error("R0217", format!("no size is called `{name}`")).label(span, "unknown size");
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        None if known.is_empty() => report.help("sizes get their names from the types of parameters and of `data`"),
        None => report.help(format!("sizes known here: {}", known_list(known))),
    }
}

/// Something that is watched or saved by, and is not reported.
pub fn not_reported(span: Span, split: &str, name: &str, known: &[String]) -> Report {
    let title = match split {
        "train" => format!("training reports no `{name}`"),
        _ => format!("no loss or metric is called `{name}`"),
    };
    let report = Report::error("R0218", title).label(span, format!("`{split}.{name}` is never reported"));
    let all: Vec<String> = known.iter().map(|k| format!("{split}.{k}")).collect();
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{split}.{near}`?")).suggest(span, near),
        None if all.is_empty() => report.help("nothing is reported: define a `loss` or a `metric`"),
        None => report.help(format!("reported are: {}", list(&all))),
    }
}

/// A number of validation that a run goes by, where all data is trained on; `instead` where training reports it too.
pub fn never_validated(span: Span, name: &str, field: (&str, &str), share: Span, instead: bool) -> Report {
    let (section, field) = field;
    let report = Report::error("R0233", format!("`val.{name}` is never computed: no data is left for validation"))
        .label(span, format!("`{field}` of `{section}` goes by it"))
        .label(share, "all of the data is trained on here");
    let rest = "keep a part of the data for validation:  train = 0.8";
    match instead {
        true => report
            .help(format!("{rest}\nor go by the number of training:  train.{name}"))
            .suggest(span, format!("train.{name}")),
        false => report.help(rest),
    }
}

/// `best = total` without saying of which split.
pub fn watch_without_split(span: Span, name: &str) -> Report {
    Report::error("R0219", format!("`{name}` of which split?"))
        .label(span, "training and validation both report it")
        .help(format!("write  val.{name}  (or  train.{name})"))
        .suggest(span, format!("val.{name}"))
}

/// A name that an imported file does not have.
pub fn not_in_file(span: Span, name: &str, file: &str, known: &[String]) -> Report {
    let report = Report::error("R0220", format!("{file} has no `{name}` to import")).label(span, "not found there");
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        None if known.is_empty() => report.help("it defines no fn, layer or model"),
        None => report.help(format!("it has: {}. Only fn, layer and model can be imported.", known_list(known))),
    }
}

/// A second section or header of one name.
pub fn second_of(span: Span, what: &str) -> Report {
    Report::error("R0221", format!("there are two `{what}` items"))
        .label(span, "the second one")
        .help("keep one of them")
}

/// A second objective.
pub fn two_objectives(span: Span, first: Span) -> Report {
    Report::error("R0222", "each of several objectives names the models that it trains")
        .label(span, "the second objective")
        .label(first, "the first one")
        .help(
            "to train all models for both, make each a `loss` and minimize their weighted sum;\n\
             to train some models for one and some for the other:  minimize critic of c = …",
        )
}

/// A model without outputs.
pub fn model_without_out(span: Span, name: &str) -> Report {
    Report::error("R0223", format!("the model `{name}` has no output"))
        .label(span, "no line of it begins with `out`")
        .help("return something:  out det: Prob[B, 1, H, W]@f = …")
}

/// A chain of definitions that is too long to write out.
pub fn too_many_calls(span: Span, most: u32) -> Report {
    Report::error("R0224", "these calls are too many to write out")
        .label(
            span,
            format!(
                "calls lie more than {most} deep here, or there are more than \
             20,000 in one function or 400,000 in the file"
            ),
        )
        .help("functions are written out at every call: use a `let` for what is computed twice, and smaller counts for what calls itself")
}

/// A lint that does not exist.
pub fn no_such_lint(span: Span, name: &str, known: &[&str]) -> Report {
    let report = Report::error(
        "R0225",
        if name.is_empty() {
            "`@allow` needs the name of a lint".into()
        } else {
            format!("no lint is called `{name}`")
        },
    )
    .label(span, "unknown lint");
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{near}`?")).suggest(span, near),
        None => report.help(format!("lints: {}", known_list(known))),
    }
}

/// `@allow` that does not say why.
pub fn allow_without_reason(span: Span, lint: &str) -> Report {
    Report::error("R0226", "an `@allow` gives its reason")
        .label(span, "says what, not why")
        .help(format!("write  @allow({lint}, \"why this is meant\")"))
}

/// An attribute that does not exist.
pub fn no_such_attribute(span: Span, name: &str) -> Report {
    let report = Report::error("R0227", format!("no attribute is called `{name}`")).label(span, "unknown attribute");
    match guess(name, &["allow", "frozen"]) {
        Some(near) => report.help(format!("did you mean `@{near}`?")).suggest(span, near),
        None => report.help("attributes: @allow(lint, \"reason\"), @frozen(weights = path)"),
    }
}

/// A dataset whose fields only the pipeline can name, without an arrow.
pub fn fields_not_declared(span: Span, op: &str) -> Report {
    Report::error("R0229", format!("`{op}` does not know what its file holds"))
        .label(span, "no fields are declared")
        .help("name the fields and their types:  … -> { image: Image[B, 1, H, W]@orig }")
}

/// `@frozen` on something that has no weights.
pub fn frozen_needs_model(span: Span) -> Report {
    Report::error("R0228", "only a model can be frozen")
        .label(span, "not before a model")
        .help("put it on the line before `model`")
}

/// A function, layer or model called like an operation.
pub fn name_taken(span: Span, name: &str, usage: &str) -> Report {
    Report::error("R0231", format!("`{name}` is the name of an operation"))
        .label(span, "cannot be defined again")
        .help(format!("choose another name: it is taken by\n{usage}"))
}

/// A part of `train` that holds no weight.
pub fn no_such_part(span: Span, name: &str, known: &[String]) -> Report {
    let report = Report::error("R0260", format!("no weights are called `{name}`"))
        .label(span, "neither a beginning of weights' names nor a class of them");
    // The longest way that is right, and what goes on from there.
    let whole = |path: &str| known.iter().any(|k| k == path);
    let from = name.match_indices('.').filter_map(|(at, _)| name.get(..at)).rfind(|path| whole(path));
    let depth = from.map_or(0, |f| 1 + f.matches('.').count());
    let next = |k: &&String| {
        k.matches('.').count() == depth && from.is_none_or(|f| k.strip_prefix(f).is_some_and(|r| r.starts_with('.')))
    };
    let listed: Vec<&String> = known.iter().filter(next).collect();
    let rest = "`norms` and `biases`, alone or behind a path, are those of all layers below; `rord-run types` lists the weights";
    let all = match listed.as_slice() {
        [] => rest.to_string(),
        listed => format!("there are: {}\n{rest}", list(listed)),
    };
    match guess(name, known) {
        Some(near) => report.help(format!("did you mean `{near}`? {all}")).suggest(span, near),
        None => report.help(all),
    }
}

/// How a frozen model is trained.
pub fn part_of_a_frozen_model(span: Span, field: &str, model: &str, defined: Span) -> Report {
    Report::error("R0261", format!("`{model}` is frozen, so `{field}` means nothing for it"))
        .label(span, "a part of it")
        .label(defined, "frozen here")
        .help("take out this part, or the `@frozen` of the model; `init` alone may stand")
}

/// A part without fields.
pub fn empty_part(span: Span, name: &str) -> Report {
    Report::error("R0262", format!("this part says nothing of `{name}`"))
        .label(span, "no fields")
        .help("as in  part net.trunk { lr = 0.1x }")
}

/// `under` behind a field that takes no file.
pub fn under_what(span: Span, field: &str) -> Report {
    Report::error("R0263", format!("`under` does not go with `{field}`"))
        .label(span, "the beginning of names in a file")
        .help("as in  init = \"vgg16.pth\" under \"features\"")
}

//! Constants print as the language writes them: what is printed reads back as the same constant.

use proptest::prelude::*;
use rord_lang::ast::{Expr, ExprKind};
use rord_lang::check::{NoImports, Outside, check};
use rord_lang::constant::{Constant, Recipe, Settings, Unit};
use rord_lang::parse;
use rord_lang::source::FileId;
use rord_lang::tree::expression;
use rord_ops as ops;

/// The constant that an expression without names of values stands for.
fn read(e: &Expr) -> Constant {
    match &e.kind {
        ExprKind::Number { value, unit: None } => Constant::Number(*value),
        ExprKind::Number { value, unit: Some(unit) } => Constant::Quantity(*value, *unit),
        ExprKind::Negate(of) => match read(of) {
            Constant::Number(x) => Constant::Number(-x),
            Constant::Quantity(x, unit) => Constant::Quantity(-x, unit),
            other => panic!("-{other}"),
        },
        ExprKind::Text(text) => Constant::Text(text.clone()),
        ExprKind::Flag(flag) => Constant::Flag(*flag),
        ExprKind::Name(name) if name == "none" => Constant::None,
        ExprKind::Name(word) => Constant::Word(word.clone()),
        ExprKind::Member { of, name } => Constant::Word(format!("{}.{}", read(of), name.text)),
        ExprKind::List(items) => Constant::List(items.iter().map(read).collect()),
        ExprKind::Range(low, high) => Constant::Range(Box::new(read(low)), Box::new(read(high))),
        ExprKind::Call { callee, args } => {
            let ExprKind::Name(op) = &callee.kind else { panic!("{callee:?}") };
            let one = |a: &rord_lang::ast::Arg| (a.name.as_ref().unwrap().text.clone(), read(&a.value));
            Constant::Recipe(Recipe { op: op.clone(), settings: Settings(args.iter().map(one).collect()) })
        }
        other => panic!("no constant: {other:?}"),
    }
}

fn number() -> impl Strategy<Value = f64> {
    let fixed =
        vec![0.0, -0.0, 1e-7, 1e300, 5e-324, f64::MAX, 0.1 + 0.2, 9e15, 9_007_199_254_740_993.0, 0.864, 1e6, 1e-2];
    prop_oneof![
        prop::sample::select(fixed),
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
        (-1000i32..1000).prop_map(f64::from)
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["same", "mean", "val.total", "train.total"]).prop_map(str::to_string)
}

fn constant() -> impl Strategy<Value = Constant> {
    let unit = prop::sample::select(Unit::ALL.to_vec());
    let plain = prop_oneof![
        number().prop_map(Constant::Number),
        (number(), unit).prop_map(|(x, unit)| Constant::Quantity(x, unit)),
        any::<bool>().prop_map(Constant::Flag),
        any::<String>().prop_map(Constant::Text),
        "[\"\\\\\n\t\r'{}e\u{301}\u{0}\u{7f}\u{200b}u]{0,8}".prop_map(Constant::Text),
        word().prop_map(Constant::Word),
        (number(), number()).prop_map(|(a, b)| Constant::Range(Constant::Number(a).into(), Constant::Number(b).into())),
    ];
    plain.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Constant::List),
            prop::collection::vec(("[a-z]{1,6}_", inner), 0..4)
                .prop_map(|settings| Constant::Recipe(Recipe { op: "synth".into(), settings: Settings(settings) })),
        ]
    })
}

/// Equal, and of the same sign where a number is zero.
fn same(a: &Constant, b: &Constant) -> bool {
    a == b && format!("{a:?}") == format!("{b:?}")
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(wanted in constant()) {
        let text = wanted.to_string();
        let parsed = parse::expression(&text, FileId(0), 0).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        prop_assert!(same(&read(&parsed), &wanted), "{text}: {:?}", read(&parsed));
        // The printer of expressions writes the same.
        prop_assert_eq!(expression(&parsed), text);
    }

    #[test]
    fn a_text_survives_its_parameter(text in any::<String>()) {
        let (vocabulary, mut sources) = ops::vocabulary();
        let wanted = Constant::Text(text);
        let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", format!("param name: Text = {wanted}\nsweep all {{ name = [{wanted}] }}\n"));
        let (pipeline, _) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
        prop_assert_eq!(pipeline.params[0].value.as_ref(), Some(&wanted));
        prop_assert_eq!(&pipeline.sweeps[0].1[0].1, &vec![wanted]);
    }
}

#[test]
fn numbers_have_the_shortest_digits() {
    for (x, text) in [(0.864, "0.864"), (1e-7, "1e-7"), (1e300, "1e300"), (0.285, "0.285"), (-0.0, "-0"), (42.0, "42")]
    {
        assert_eq!(Constant::Number(x).to_string(), text);
    }
    // A share and a square are decimal numbers to whoever writes them.
    for (written, text) in [("28.5%", "0.285"), ("0.1^2", "0.01"), ("1e-4²", "1e-8")] {
        let (tree, _) = parse::parse(&format!("let x = {written}"), FileId(0));
        let rord_lang::ast::ItemKind::Let(binding) = &tree.items[0].kind else { panic!("{written}") };
        assert_eq!(expression(&binding.value), text);
    }
}

#[test]
fn a_number_that_overflows_is_reported() {
    let (vocabulary, mut sources) = ops::vocabulary();
    let file = sources.add(rord_lang::source::SourceKind::Main, "test.rord", "param big: Scalar = 1e300 * 1e300\n");
    let (_, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert_eq!(reports.iter().map(|r| r.code).filter(|c| *c == "R0107").count(), 1, "{reports:?}");
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::layer::LayerKey;

fn choice(texts: &[&str], names: &LayerNames) -> Result<LayerChoice, ChoiceError> {
    LayerChoice::parse(&texts.iter().map(ToString::to_string).collect::<Vec<_>>(), names)
}

fn keys(texts: &str) -> Vec<LayerKey> {
    texts.split_whitespace().map(|key| key.parse().unwrap()).collect()
}

const PRESENT: &str = "66/20 67/16 67/20 68/16 68/20 235/4 236/0 40000/0";

fn order(texts: &[&str]) -> String {
    let order = choice(texts, &LayerNames::default()).unwrap().order(&keys(PRESENT));
    order.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn layers_come_in_the_order_of_the_list() {
    assert_eq!(order(&[]), PRESENT);
    assert_eq!(order(&["*"]), PRESENT);
    assert_eq!(order(&["68/20", "66/20"]), "68/20 66/20");
    // One that is not there stays; one that is listed twice is drawn twice, by a pattern only once.
    assert_eq!(order(&["9/0", "66/20", "9", "66/20"]), "9/0 66/20 9/0 66/20");
    assert_eq!(order(&["68/*", "*/20", "68/*"]), "68/16 68/20 66/20 67/20");
    assert_eq!(order(&["66-67/20", "30000-50000"]), "66/20 67/20 40000/0");
    assert_eq!(order(&["68 / 16-20"]), "68/16 68/20");
    assert_eq!(order(&["-235/*", "-236/*", "-*/16"]), "66/20 67/20 68/20 40000/0");
    assert_eq!(order(&["-68/16", "67-68/*"]), "67/16 67/20 68/20");
    assert_eq!(order(&["66/20", "-66/20"]), "");
    let choice = choice(&["67/*", "-67/16", "7/0", "-8"], &LayerNames::default()).unwrap();
    assert!(choice.wants(keys("67/20")[0]) && !choice.wants(keys("67/16")[0]) && !choice.wants(keys("66/20")[0]));
    assert_eq!(choice.without_layer(&keys(PRESENT)), ["7/0", "-8"]);
    assert!(!choice.is_all() && LayerChoice::default().is_all());
}

#[test]
fn what_is_no_layer_is_an_error_value() {
    let names = LayerNames::read("met1 68 20\nmet2 69 20").unwrap();
    for wrong in ["", "/", "67/", "a/1", "67/20/3", "1-/0", "-", "--1", "4294967296/0", "met3", "met"] {
        let Err(ChoiceError::Unknown { known: 2, .. }) = choice(&[wrong], &names) else { panic!("{wrong}") };
    }
    for empty in ["5-1/0", "1/9-8"] {
        assert_eq!(choice(&[empty], &names), Err(ChoiceError::EmptyRange { text: empty.into() }));
    }
}

#[test]
fn names_stand_for_their_layers() {
    let names = LayerNames::read("met1.drawing 68 20\nmet1.pin 68 16\nvia 67 44\n-x 66 20").unwrap();
    let order = |texts: &[&str]| choice(texts, &names).unwrap().order(&keys(PRESENT));
    assert_eq!(order(&["met1.pin", "met1.drawing"]), keys("68/16 68/20"));
    assert_eq!(order(&["met1.*"]), keys("68/16 68/20"));
    assert_eq!(order(&["*", "-met1.*"]), keys("66/20 67/16 67/20 235/4 236/0 40000/0"));
    assert_eq!(order(&["via"]), keys("67/44"));
    assert_eq!(order(&["-x"]), keys("66/20"));
}

#[test]
fn layer_maps_of_many_tools_are_read() {
    let read = |text: &str| LayerNames::read(text).unwrap();
    let met1 = |text: &str, name: &str| assert_eq!(read(text).get(name), Some(&keys("68/20")[..]), "{text}: {name}");
    for text in ["met1 68 20", "met1\t68/20", "met1: 68/20", "68/20 : met1", "68/20: met1 (168/1)", "met1 = 68/20 # x"]
    {
        met1(text, "met1");
    }
    // Cadence: layer, purpose, numbers; several purposes of one layer.
    let stream = "# layer purpose number type\nmet1 drawing 68 20\nmet1 pin 68 16\nvia cut 67 44 // the only one\n\n";
    met1(stream, "met1");
    met1(stream, "met1.drawing");
    met1(stream, "met1/drawing");
    assert_eq!(read(stream).get("via"), Some(&keys("67/44")[..]));
    assert_eq!(read(stream).get("met1.pin"), Some(&keys("68/16")[..]));
    // Innovus: purposes in a list.
    met1("met1 NET,SPNET,VIA 68 20\nNAME met1/PIN 68 5\nDIEAREA ALL 235 4", "met1.SPNET");
    for nothing in ["", "# met1 68 20", "met1", "1 2 3", "met1 68"] {
        assert_eq!(LayerNames::read(nothing), Err(NamesError::NoNames), "{nothing}");
    }
}

#[test]
fn layer_properties_of_klayout_are_read() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>
        <layer-properties-tabs><layer-properties>
          <properties><name/><source>met1.drawing 68/20@1</source></properties>
          <properties><name>met2.drawing - 69/20</name><source>69/20@1</source></properties>
          <properties><name>all</name><source>*/*@*</source>
            <group-members><name>via &amp; cut</name><source>67/44@1</source>
              <group-members><name>deep</name><source>67/16</source></group-members>
            </group-members>
          </properties>
          <properties><name>by name only</name><source>met9@1</source></properties>
        </layer-properties></layer-properties-tabs>";
    let names = LayerNames::read(text).unwrap();
    let found: Vec<String> = names.iter().map(|(name, keys)| format!("{name} {}", keys[0])).collect();
    let expected =
        ["deep 67/16", "met1.drawing 68/20", "met2.drawing 69/20", "met2.drawing - 69/20 69/20", "via & cut 67/44"];
    assert_eq!(found, expected);
    assert_eq!((names.len(), names.is_empty()), (5, false));
    assert!(matches!(LayerNames::read("<a><b></a>"), Err(NamesError::Xml { .. })));
    assert_eq!(LayerNames::read("<a/>"), Err(NamesError::NoNames));
    // Deep nesting, and entities that grow, are errors or nothing, never a crash.
    assert!(LayerNames::read(&format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000))).is_err());
    let entities: String =
        (1..20).map(|k| format!("<!ENTITY e{k} \"{}\">", format!("&e{};", k - 1).repeat(9))).collect();
    let bomb = format!("<!DOCTYPE a [<!ENTITY e0 \"x\">{entities}]><a>&e19;</a>");
    assert!(LayerNames::read(&bomb).is_err());
}

#[test]
fn patterns_are_as_shells_have_them() {
    for (pattern, name) in [
        ("", ""),
        ("*", ""),
        ("**a*", "cba"),
        ("a?c", "aäc"),
        ("[a-c]x", "bx"),
        ("[]a]", "]"),
        ("[!]]", "a"),
        ("[^a-c]", "d"),
        ("[a", "[a"),
        ("a*b*c", "aXbYbZc"),
        ("[-a]", "-"),
        ("[a-]", "-"),
    ] {
        assert!(matching(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in
        [("", "a"), ("a", ""), ("?", ""), ("[!a-c]", "b"), ("a*b", "abc"), ("[c-a]", "b"), ("A", "a")]
    {
        assert!(!matching(pattern, name), "{pattern} {name}");
    }
    // Many stars take no more time than their product with the name.
    assert!(!matching(&"*a".repeat(1000), &format!("{}b", "a".repeat(10_000))));
}

#[test]
fn a_file_may_name_its_layers() {
    use crate::oasis::LayerName;
    let name = |name: &str, layers, datatypes| LayerName { name: name.into(), layers, datatypes };
    let own = [name("met1", [68, 68], [20, 20]), name("vias", [67, 69], [44, 44]), name("text", [0, u32::MAX], [5, 5])];
    let names = LayerNames::read("poly 66 20\n").unwrap();
    let of = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let present: Vec<LayerKey> = ["66/20", "67/44", "69/44", "70/5"].map(|key| key.parse().unwrap()).to_vec();
        let order = LayerChoice::open(&texts, &names).unwrap().in_file(&own)?.order(&present);
        Ok(order.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    // A single layer comes though it is not there; of several those that are there.
    assert_eq!(of(&["vias", "met1", "poly"]).unwrap(), ["67/44", "69/44", "68/20", "66/20"]);
    assert_eq!(of(&["*", "-t*t"]).unwrap(), ["66/20", "67/44", "69/44"]);
    let unknown: ChoiceError = of(&["met2"]).unwrap_err();
    assert_eq!(unknown.to_string(), "`met2` is neither a layer nor one of the file's 3 names of layers");
    assert!(LayerChoice::parse(&["met1".into()], &names).is_err());
}

#[test]
fn a_layer_is_called_by_a_name_of_its_own() {
    let names = LayerNames::read("met1 drawing 68 20\nmet1 pin 68 16\nmet 68 20\nmet 69 20\n").unwrap();
    assert_eq!(names.of("68/20".parse().unwrap()), Some("met1"));
    assert_eq!(names.of("69/20".parse().unwrap()), Some("met"));
    assert_eq!(names.of("1/0".parse().unwrap()), None);
}

//! The index on texts whose marks say what is what: `«a:name»` defines `a`, `‹a:name›` speaks of it.

use rord_lang::index::*;
use rord_lang::lex::lex;
use rord_lang::parse::parse;
use rord_lang::source::FileId;

fn index(text: &str) -> Index {
    let (vocabulary, _) = rord_ops::vocabulary();
    let (tree, _) = parse(text, FileId(0));
    let (tokens, ..) = lex(text, FileId(0));
    Index::new(&tree, &tokens, &vocabulary)
}

/// Takes the marks out and holds every group of marked names to one symbol: its definition is marked «, its uses are marked ‹, and
/// no other place speaks of it.
fn holds(marked: &str) {
    let (mut text, mut marks) = (String::new(), Vec::new());
    let mut rest = marked;
    while let Some(at) = rest.find(['«', '‹']) {
        text.push_str(&rest[..at]);
        let definition = rest[at..].starts_with('«');
        let open = if definition { '«' } else { '‹' };
        let body = &rest[at + open.len_utf8()..];
        let end = body.find(['»', '›']).unwrap();
        let (group, name) = body[..end].split_once(':').unwrap();
        marks.push((group.to_string(), text.len() as u32, definition, name.to_string()));
        text.push_str(name);
        rest = &body[end + '»'.len_utf8().max('›'.len_utf8()).min(body[end..].chars().next().unwrap().len_utf8())..];
    }
    text.push_str(rest);
    let index = index(&text);
    let mut groups: Vec<&str> = marks.iter().map(|(g, ..)| g.as_str()).collect();
    groups.sort();
    groups.dedup();
    for group in groups {
        let own: Vec<_> = marks.iter().filter(|(g, ..)| g == group).collect();
        let (_, at, _, name) = own.iter().find(|(_, _, definition, _)| *definition).unwrap();
        let (id, _) = index
            .symbols()
            .find(|(_, s)| s.span.start == *at && s.name == *name)
            .unwrap_or_else(|| panic!("nothing is defined for {group} in\n{text}"));
        let mut wanted: Vec<u32> = own.iter().map(|(_, at, ..)| *at).collect();
        let mut found: Vec<u32> = index.uses_of(id).map(|u| u.span.start).collect();
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{group} in\n{text}");
    }
}

#[test]
fn names_of_the_file_and_of_bodies_are_kept_apart() {
    holds(
        "param «p:k»: Count = 3\n\
         fn «f:twice»(«x:x»: Map[B, C, H, W]@f, «k:k»: Count = 2) -> Map[B, C, H, W]@f = ‹k:k› * ‹x:x›\n\
         input x: Image[B, 1, H, W]@o\n\
         let y = ‹f:twice›(x, ‹k:k› = ‹p:k›)\n\
         train { batch = ‹p:k› }\n",
    );
}

#[test]
fn records_of_models_and_data_lead_to_their_fields() {
    holds(
        "data «d:pairs» = layout_pairs(synth(tiles = 2)) -> { «i:image»: Image[B, 1, H, W]@orig }\n\
         model «m:net»(«x:x»: Image[B, 1, H, W]@f) {\n  let «t:t» = ‹x:x› |> conv(4, 3)\n  out «det:det» = ‹t:t› |> sigmoid\n}\n\
         let { ‹i:image› as «v:view» } = ‹d:pairs›\n\
         let { ‹det:det› as «a:a» } = ‹m:net›(‹v:view›)\n\
         let «r:r» = ‹v:view› |> ‹m:net›\n\
         loss l = bce(‹r:r›.‹det:det›, ‹a:a›)\n",
    );
}

#[test]
fn a_field_taken_by_its_own_name_is_two_things() {
    let text = "model net(x: Image[B, 1, H, W]@f) { out det = x |> sigmoid }\ninput i: Image[B, 1, H, W]@o\nlet { det } = net(i)\nloss l = mean(det)\n";
    let index = index(text);
    let at = text.find("{ det }").unwrap() as u32 + 2;
    let all = index.all_at(at);
    assert_eq!(all.iter().map(|u| u.how).collect::<Vec<_>>(), [How::Definition, How::Taken]);
    let names: Vec<SymbolKind> = all
        .iter()
        .map(|u| match &u.to {
            Target::Symbol(id) => index.symbol(*id).unwrap().kind,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [SymbolKind::Let, SymbolKind::Out]);
}

#[test]
fn sizes_and_frames_belong_to_the_file_or_to_a_signature() {
    holds(
        "fn f(a: Map[B, «c:C», H, W]@«g:g», width: Count) -> Map[B, ‹c:C›, H, W]@‹g:g› = a\n\
         input x: Image[B, 1, «h:H», W]@«o:o»\n\
         input y: Image[B, 1, ‹h:H›, W]@‹o:o›\n",
    );
    holds("layer g(x: Map[B, ‹w:width›, H, W]@f, «w:width»: Count) = x |> conv(‹w:width›, 3)\n");
}

#[test]
fn presets_sections_and_watched_values_speak_of_names() {
    holds(
        "param «s:seed»: Count = 0\nparam «lr:lr»: Rate = 1e-3\npreset fast { ‹lr:lr› = 1e-2 }\nsweep rates { ‹lr:lr› = [1e-2] }\n\
         input p: Prob[B, 1, H, W]@o\nminimize «t:total» = mean(p)\n\
         train { optimizer = adam(lr = ‹lr:lr›), schedule = reduce_on_plateau(watch = val.‹t:total›), ‹s:seed› }\n\
         save { best = val.‹t:total› }\n",
    );
}

#[test]
fn what_cannot_be_read_still_speaks_of_names() {
    holds("input «a:p»: Prob[B, 1, H, W]@o\nloss x = bce(‹a:p›, \nminimize m = mean(‹a:p›)\n");
    holds("param «k:k»: Count = 1\nfn f(«x:x»: Map, = conv(‹x:x›, ‹k:k›\n");
    let text = "model net(x: Image[B, 1, H, W]@f) {\n  let t = x |> conv(4, \n";
    let index = index(text);
    let seen: Vec<&str> = index.visible(text.len() as u32).map(|(_, s)| s.name.as_str()).collect();
    assert!(seen.contains(&"x"), "{seen:?}");
}

#[test]
fn words_are_no_names_and_operations_are_no_symbols() {
    let text = "param same: Flag = true\nlayer g(x: Feat[B, C, H, W]@f) = x |> conv(4, 3, pad = same)\n";
    let index = index(text);
    let at = |needle: &str| index.at(text.rfind(needle).unwrap() as u32).map(|u| u.to.clone());
    assert_eq!(at("same"), Some(Target::Word("same".into())));
    assert_eq!(at("conv"), Some(Target::Operation("conv".into())));
    assert_eq!(at("pad"), Some(Target::OperationArgument { of: "conv".into(), name: "pad".into() }));
    assert_eq!(at("Feat"), Some(Target::Kind("Feat".into())));
}

#[test]
fn any_text_has_an_index() {
    let whole = include_str!("../../pipelines/default.rord");
    for cut in (0..whole.len()).step_by(7).filter(|n| whole.is_char_boundary(*n)) {
        let text = &whole[..cut];
        let index = index(text);
        for used in index.uses() {
            assert!(text.get(used.span.start as usize..used.span.end as usize).is_some());
        }
        index.visible(cut as u32).count();
    }
}

#[test]
fn a_large_file_is_indexed_quickly() {
    let chain: String = (1..10_000).map(|i| format!("fn f{i}(x: Scalar) = f{}(x = x)\n", i - 1)).collect();
    let broken: String = (0..10_000).map(|i| format!("let a{i} = (a{}\n", i / 2)).collect();
    let begun = std::time::Instant::now();
    for text in [chain, broken] {
        let index = index(&text);
        // Everybody is asked for once, as colors do.
        for used in index.uses() {
            assert!(index.at(used.span.start).is_some());
        }
    }
    // A tenth of a second on a machine at rest; a quadratic way takes a hundred times as long.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}

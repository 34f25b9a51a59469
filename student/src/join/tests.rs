use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, VectorType};
use limbeck_encoder::normalise;
use limbeck_training::random::Random;

use super::*;
use crate::test_support::word_tokenizer;

/// Random unit vectors whose mean is not zero, so that there is a mean to subtract.
fn vectors(rows: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut values: Vec<f32> = (0..rows * width).map(|_| random.f32() - 0.3).collect();
    for row in values.chunks_exact_mut(width) {
        normalise(row);
    }
    values
}

fn find(caches: &[Cache], settings: &Settings) -> Result<Join> {
    Join::find(caches, settings, Monitor::new(&Silent, &Interrupt::new()))
}

fn texts(rows: usize) -> Vec<String> {
    (0..rows).map(|row| format!("text {row}")).collect()
}

fn cache(folder: &Path, texts: &[String], values: &[f32], shard_rows: usize) -> Cache {
    let width = values.len() / texts.len();
    let fingerprint = Fingerprint { text: "the text".into(), ..Fingerprint::default() };
    let spec = CacheSpec { shard_rows, ..CacheSpec::new(width, VectorType::F32, fingerprint) };
    let mut writer = CacheWriter::open(folder, spec).unwrap();
    for (shard, texts) in texts.chunks(shard_rows).enumerate() {
        let first = shard * shard_rows * width;
        writer.write(shard, texts, &values[first..first + texts.len() * width]).unwrap();
    }
    writer.finish(texts.len() as u64).unwrap();
    Cache::open(folder).unwrap()
}

fn settings(weights: &[f64], centre: f64, dimension: usize) -> Settings {
    Settings { weights: weights.to_vec(), centre, dimension }
}

fn joined(caches: &[Cache], settings: &Settings, folder: &Path) -> (Join, Cache) {
    let map = find(caches, settings).unwrap();
    let interrupt = Interrupt::new();
    let monitor = Monitor::new(&Silent, &interrupt);
    join(&JoinJob { caches, join: &map, storage: VectorType::F32, folder, monitor }).unwrap();
    (map, Cache::open(folder).unwrap())
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn a_joined_cosine_is_the_weighted_mean_of_the_teachers_cosines() {
    let room = tempfile::tempdir().unwrap();
    let (one, two) = (vectors(50, 4, 1), vectors(50, 6, 2));
    // Shards of different sizes.
    let caches =
        [cache(&room.path().join("one"), &texts(50), &one, 16), cache(&room.path().join("two"), &texts(50), &two, 7)];
    let (_, joined) = joined(&caches, &settings(&[1.0, 3.0], 0.0, 10), &room.path().join("joined"));
    let shard = joined.read(0).unwrap();
    assert_eq!((joined.dimension(), &shard.texts), (10, &texts(50)));
    for (i, j) in [(0, 1), (3, 49), (17, 18)] {
        let cosine = |numbers: &[f32], width| dot(&numbers[i * width..][..width], &numbers[j * width..][..width]);
        let expected = (cosine(&one, 4) + 3.0 * cosine(&two, 6)) / 4.0;
        let found = cosine(&shard.embeddings, 10);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

/// Caches of two teachers whose vectors differ only in their coordinates, and the vectors.
fn rotated(room: &Path) -> ([Cache; 2], [Vec<f32>; 2]) {
    let one = vectors(60, 5, 3);
    let two: Vec<f32> = one.chunks_exact(5).flat_map(|row| [row[3], -row[0], row[4], row[1], row[2]]).collect();
    let caches = [cache(&room.join("one"), &texts(60), &one, 60), cache(&room.join("two"), &texts(60), &two, 60)];
    (caches, [one, two])
}

#[test]
fn at_the_first_teachers_width_a_join_has_that_teachers_coordinates() {
    let room = tempfile::tempdir().unwrap();
    let (caches, [one, _]) = rotated(room.path());
    let (_, found) = joined(&caches, &settings(&[1.0, 0.5], 0.0, 5), &room.path().join("joined"));
    let found = found.read(0).unwrap().embeddings;
    assert!(found.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-4), "{:?} {:?}", &found[..5], &one[..5]);
}

#[test]
fn a_join_is_read_back_from_the_joined_cache() {
    let room = tempfile::tempdir().unwrap();
    let (caches, _) = rotated(room.path());
    let (map, _) = joined(&caches, &settings(&[1.0, 0.5], 0.0, 5), &room.path().join("joined"));
    assert_eq!(Join::open(&room.path().join("joined")).unwrap(), map);
    let error = Join::open(&room.path().join("one")).unwrap_err().to_string();
    assert!(error.contains("join.safetensors") && error.contains("no joined cache"), "{error}");
}

#[test]
fn centring_subtracts_the_mean_of_each_teacher() {
    let room = tempfile::tempdir().unwrap();
    let (caches, [one, two]) = rotated(room.path());
    let both = side_by_side(&[(one, 5), (two, 5)]);
    let mean = |centre: f64| -> f64 {
        let joined = find(&caches, &settings(&[1.0, 1.0], centre, 5)).unwrap().map.apply(&both);
        let sums = (0..5).map(|i| joined.iter().skip(i).step_by(5).map(|&x| f64::from(x)).sum::<f64>() / 60.0);
        sums.map(|x| x * x).sum::<f64>().sqrt()
    };
    // The scaling to length 1 leaves a little of the mean.
    assert!(mean(0.0) > 0.3 && mean(1.0) < 0.15, "{} {}", mean(0.0), mean(1.0));
}

#[test]
fn the_first_teachers_token_vectors_are_joined_where_all_caches_have_them() {
    let room = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    let tokens: Vec<String> =
        (0..=tokenizer.vocabulary() as u32).map(|id| tokenizer.token(id).unwrap_or_default()).collect();
    let folder = |name: &str| room.path().join(name);
    let spec = || CacheSpec::new(3, VectorType::F32, Fingerprint::default());
    let numbers = vectors(20, 3, 7);
    for name in ["one", "two", "bare"] {
        let mut writer = CacheWriter::open(&folder(name), spec()).unwrap();
        writer.write(0, &texts(20), &numbers).unwrap();
        match name {
            "one" => writer.write_tokens(tokenizer.json(), &tokens, &vectors(tokens.len(), 3, 8)).unwrap(),
            "two" => writer.write_student_tokens(tokenizer.json(), &tokens, &vectors(tokens.len(), 3, 9)).unwrap(),
            _ => {}
        }
        writer.finish(20).unwrap();
    }
    let open = |name: &str| Cache::open(&folder(name)).unwrap();
    let (map, found) = joined(&[open("one"), open("two")], &settings(&[1.0, 1.0], 0.5, 3), &folder("joined"));
    let both = [(vectors(tokens.len(), 3, 8), 3), (vectors(tokens.len(), 3, 9), 3)];
    let found = found.tokens().unwrap().unwrap();
    assert_eq!((found.texts, found.embeddings), (tokens, map.map.apply(&side_by_side(&both))));
    let (_, found) = joined(&[open("one"), open("bare")], &settings(&[1.0, 1.0], 0.5, 3), &folder("without"));
    assert!(found.tokens().unwrap().is_none());
}

#[test]
fn caches_of_other_texts_are_refused() {
    let room = tempfile::tempdir().unwrap();
    let make = |name: &str, texts: &[String]| cache(&room.path().join(name), texts, &vectors(texts.len(), 3, 5), 700);
    let other: Vec<String> = (0..2_000).map(|row| format!("other {row}")).collect();
    let mut shuffled = texts(5_000);
    Random::new(1, &[]).shuffle(&mut shuffled);
    for (pair, what) in [
        (
            [make("long", &texts(2_000)), make("other", &other)],
            "other: from about row 0 on its texts are others than those of ",
        ),
        (
            [make("one", &texts(20)), make("longer", &texts(2_000))],
            "longer: from about row 20 on its texts are others than those of ",
        ),
        ([make("few", &other[..20]), make("same", &texts(20))], "few: has no text that the other caches have"),
        ([make("ordered", &texts(5_000)), make("shuffled", &shuffled)], "others than those of"),
    ] {
        let error = find(&pair, &settings(&[1.0, 1.0], 0.5, 6)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let room = tempfile::tempdir().unwrap();
    let caches = ["one", "two"].map(|name| cache(&room.path().join(name), &texts(20), &vectors(20, 3, 5), 8));
    assert!(find(&caches, &settings(&[1.0, 1.0], 0.5, 6)).is_ok());
    for (settings, what) in [
        (settings(&[1.0], 0.5, 3), "weights"),
        (settings(&[1.0, 0.0], 0.5, 3), "weights is 0e0"),
        (settings(&[1.0, f64::NAN], 0.5, 3), "weights is NaN"),
        (settings(&[-1.0, -1.0], 0.5, 3), "weights is -1e0"),
        (settings(&[1e308, 1e308], 0.5, 3), "weights is 1e308"),
        (settings(&[1.0, 1.0], 1.5, 3), "centre is 1.5"),
        (settings(&[1.0, 1.0], 0.5, 7), "dimension is 7, but must be from 1 to 6"),
        (settings(&[1.0, 1.0], 0.5, 0), "dimension is 0"),
    ] {
        let error = find(&caches, &settings).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_join_is_refused_for_caches_of_other_teachers() {
    let room = tempfile::tempdir().unwrap();
    let make = |name: &str, seed: u64, teacher: &str| {
        let fingerprint = Fingerprint { teacher: teacher.into(), ..Fingerprint::default() };
        let mut writer =
            CacheWriter::open(&room.path().join(name), CacheSpec::new(4, VectorType::F32, fingerprint)).unwrap();
        writer.write(0, &texts(30), &vectors(30, 4, seed)).unwrap();
        writer.finish(30).unwrap();
    };
    for (name, seed) in [("one", 1), ("two", 2), ("three", 3)] {
        make(name, seed, name);
    }
    let open = |names: [&str; 2]| names.map(|name| Cache::open(&room.path().join(name)).unwrap());
    let equal = settings(&[1.0, 1.0], 0.5, 4);
    let (map, _) = joined(&open(["one", "two"]), &equal, &room.path().join("joined"));
    assert!(map.is_for(&open(["one", "two"]), &equal) && !map.is_for(&open(["one", "three"]), &equal));
    assert!(!map.is_for(&open(["one", "two"]), &settings(&[1.0, 2.0], 0.5, 4)));
    let job = |caches: &[Cache], folder: &str| {
        let interrupt = Interrupt::new();
        let folder = room.path().join(folder);
        let monitor = Monitor::new(&Silent, &interrupt);
        join(&JoinJob { caches, join: &map, storage: VectorType::F32, folder: &folder, monitor })
    };
    for other in [["one", "three"], ["two", "one"]] {
        let error = job(&open(other), "joined").unwrap_err().to_string();
        assert!(error.contains("is not of the teacher of the join's cache"), "{error}");
    }
    // Only the ratios of weights matter.
    let large = find(&open(["one", "two"]), &settings(&[1e100, 1e100], 0.5, 4));
    let off = large.unwrap().map.matrix.iter().zip(&map.map.matrix).fold(0f32, |off, (a, b)| off.max((a - b).abs()));
    assert!(off < 1e-5, "{off}");
}

#[test]
fn a_text_whose_vector_is_the_mean_gets_zeros() {
    let room = tempfile::tempdir().unwrap();
    let numbers: Vec<f32> = [0.6, 0.8, 0.0].repeat(3);
    let caches = ["one", "two"].map(|name| cache(&room.path().join(name), &texts(3), &numbers, 8));
    let map = find(&caches, &settings(&[1.0, 1.0], 1.0, 3)).unwrap().map;
    assert_eq!(map.apply(&side_by_side(&[(numbers.clone(), 3), (numbers, 3)])), [0.0; 9]);
}

#[test]
fn rows_that_a_cache_lacks_are_left_out() {
    let room = tempfile::tempdir().unwrap();
    let all = texts(40);
    let numbers = vectors(40, 3, 5);
    let without = |name: &str, gone: &[usize]| {
        let kept: Vec<usize> = (0..40).filter(|row| !gone.contains(row)).collect();
        let texts: Vec<String> = kept.iter().map(|&row| all[row].clone()).collect();
        let numbers: Vec<f32> = kept.iter().flat_map(|row| &numbers[row * 3..][..3]).copied().collect();
        cache(&room.path().join(name), &texts, &numbers, 7)
    };
    let caches = [without("one", &[3, 4, 20, 39]), without("two", &[0, 4, 5, 21]), without("three", &[])];
    let mut rows = AlignedRows::new(&caches).unwrap();
    let mut found = Vec::new();
    while let Some(chunk) = rows.next(9).unwrap() {
        for (text, row) in chunk.texts.iter().zip(chunk.vectors.chunks_exact(9)) {
            let at: usize = text.strip_prefix("text ").unwrap().parse().unwrap();
            assert!(row.chunks_exact(3).all(|part| dot(part, &numbers[at * 3..][..3]) > 0.999_99), "{text}");
            found.push(at);
        }
    }
    let gone = [0, 3, 4, 5, 20, 21, 39];
    assert_eq!(found, (0..40).filter(|row| !gone.contains(row)).collect::<Vec<_>>());
    assert_eq!((rows.given, rows.left_out), (33, 36 - 33 + 36 - 33 + 40 - 33));
}

#[test]
fn gaps_and_changed_rows_lose_no_other_rows() {
    let room = tempfile::tempdir().unwrap();
    let all = texts(5_000);
    let width_one =
        |name: &str, texts: &[String]| cache(&room.path().join(name), texts, &vectors(texts.len(), 1, 5), 700);
    let without =
        |name: &str, gone: std::ops::Range<usize>| width_one(name, &[&all[..gone.start], &all[gone.end..]].concat());
    let read = |caches: &[Cache]| {
        let mut rows = AlignedRows::new(caches).unwrap();
        while rows.next(1_000).unwrap().is_some() {}
        (rows.given, rows.left_out)
    };
    let three = [width_one("all", &all), without("a", 2_000..2_900), without("b", 2_900..3_800)];
    assert_eq!(read(&three), (5_000 - 1_800, 1_800 + 900 + 900));
    let other: Vec<String> = (0..5_000).map(|row| format!("other {row}")).collect();
    let mut rows = [width_one("all", &all), width_one("same", &all), width_one("other", &other)];
    let error = AlignedRows::new(&rows).unwrap().next(10).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("from about row 0 on its texts are others"), "{error}");
    rows.reverse();
    assert!(AlignedRows::new(&rows).unwrap().next(10).is_err());
    // A row whose text differs in one cache and occurs again later in both.
    let mut one = all.clone();
    one[900] = "again".into();
    let mut two = one.clone();
    two[100] = "again".into();
    assert_eq!(read(&[width_one("one", &one), width_one("two", &two)]), (4_999, 2));
}

//! Passwords that are right, wrong, old, and too many.

use std::time::Duration;

use crate::{Checked, HashError, Hasher, HasherOptions, MAX_PASSWORD_BYTES, Policy, is_supported, weakness};

/// Hashes that other programs made: C's `crypt`, and the reference implementation of argon2.
const CRYPT: [&str; 3] = [
    "$2a$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu",
    "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
    "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
];
const ARGON2I: &str = "$argon2i$v=19$m=16,t=2,p=1$bGJRWThNOHJJTVBSdHl2dQ$NfEnUOuUpb7F2fQkgFUG4g";
const ARGON2ID: &str = "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk";
/// Of a hundred times `x`, of which bcrypt reads 72.
const LONG: &str = "$2a$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

/// Cheap enough for a test.
fn hasher() -> Hasher {
    Hasher::new(&HasherOptions { memory_kib: 64, passes: 2, concurrent: 1, waiting: 4 })
}

#[tokio::test]
async fn a_password_is_right_and_every_other_is_wrong() {
    let hasher = hasher();
    let stored = hasher.hash("correct horse").await.expect("a hash");
    assert!(stored.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{stored}");
    assert_ne!(stored, hasher.hash("correct horse").await.expect("a hash"), "each hash has a salt of its own");
    assert_eq!(hasher.check("correct horse", Some(&stored)).await.expect("checked"), Checked::Right);
    for wrong in ["", "correct hors", "Correct horse", "correct horse ", "correct horse\0", "correct\0horse"] {
        assert_eq!(hasher.check(wrong, Some(&stored)).await.expect("checked"), Checked::Wrong, "{wrong:?}");
    }
    for nobody in [None, Some(""), Some("correct horse"), Some("$1$abc$xyz"), Some("$2a$10$short")] {
        assert_eq!(hasher.check("correct horse", nobody).await.expect("checked"), Checked::Wrong, "{nobody:?}");
    }
}

#[tokio::test]
async fn the_default_parameters_are_those_of_owasp() {
    let hasher = Hasher::new(&HasherOptions::default());
    let stored = hasher.hash("correct horse").await.expect("a hash");
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
}

#[tokio::test]
async fn hashes_of_other_programs_are_right_and_to_be_replaced() {
    let hasher = hasher();
    for stored in CRYPT {
        assert!(is_supported(stored));
        assert_eq!(
            hasher.check("correct horse", Some(stored)).await.expect("checked"),
            Checked::RightButOld,
            "{stored}"
        );
        assert_eq!(hasher.check("correct hors", Some(stored)).await.expect("checked"), Checked::Wrong, "{stored}");
        // The algorithm itself takes this for the same password.
        let repeated = "correct horse\0correct horse";
        assert_eq!(hasher.check(repeated, Some(stored)).await.expect("checked"), Checked::Wrong, "{stored}");
    }
    for stored in [ARGON2I, ARGON2ID] {
        assert!(is_supported(stored));
        assert_eq!(hasher.check("test", Some(stored)).await.expect("checked"), Checked::RightButOld, "{stored}");
        assert_eq!(hasher.check("Test", Some(stored)).await.expect("checked"), Checked::Wrong, "{stored}");
    }
}

#[tokio::test]
async fn long_and_empty_passwords_are_not_hashed_and_bcrypt_reads_their_beginning() {
    let hasher = hasher();
    assert!(hasher.hash(&"x".repeat(MAX_PASSWORD_BYTES)).await.is_ok());
    for refused in [String::new(), "x".repeat(MAX_PASSWORD_BYTES + 1), "é".repeat(37)] {
        assert!(matches!(hasher.hash(&refused).await, Err(HashError::Failed)));
    }
    // It cannot be replaced, so it is not called old.
    assert_eq!(hasher.check(&"x".repeat(100), Some(LONG)).await.expect("checked"), Checked::Right);
    assert_eq!(hasher.check(&"x".repeat(72), Some(LONG)).await.expect("checked"), Checked::RightButOld);
    assert_eq!(hasher.check(&"x".repeat(71), Some(LONG)).await.expect("checked"), Checked::Wrong);
    // A character across the end.
    assert_eq!(hasher.check(&format!("{}é", "x".repeat(71)), Some(LONG)).await.expect("checked"), Checked::Wrong);
}

#[tokio::test]
async fn hashes_that_would_cost_too_much_are_not_checked() {
    for bomb in [
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2id$v=19$m=64,t=1,p=4294967295$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=x$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$argon2id$v=19$m=64,t=1,p=1$c29t$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk",
        "$2a$31$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu",
        "$2x$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu",
        "$2a$+9$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu",
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=AAAA$AAAA$AAAA",
    ] {
        assert!(!is_supported(bomb), "{bomb}");
        let hasher = hasher();
        assert_eq!(hasher.check("x", Some(bomb)).await.expect("checked"), Checked::Wrong, "{bomb}");
        assert_eq!(hasher.work(), 128, "{bomb}: the work of a check for nobody");
    }
}

/// The work that one check does.
async fn work(hasher: &Hasher, password: &str, stored: Option<&str>) -> u64 {
    let before = hasher.work();
    hasher.check(password, stored).await.expect("checked");
    hasher.work() - before
}

#[tokio::test]
async fn every_check_does_the_same_work_whatever_is_stored() {
    let hasher = hasher();
    let own = hasher.hash("correct horse").await.expect("a hash");
    assert_eq!(work(&hasher, "x", None).await, work(&hasher, "correct horse", Some(&own)).await);
    hasher.expect("$2a$10$");
    hasher.expect("$argon2id$v=19$m=1024,t=3,p=1$");
    hasher.expect(&ARGON2I[..27]);
    hasher.expect(&ARGON2ID[..28]);
    let nobody = work(&hasher, "x", None).await;
    assert_eq!(nobody, 128 + 1024 * 3 + 16 * 2 + 32 * 3 + 1024);
    for stored in [own.as_str(), CRYPT[0], CRYPT[1], CRYPT[2], LONG, ARGON2I, ARGON2ID] {
        for password in ["correct horse", "x", "", &"x".repeat(1000)] {
            let done = work(&hasher, password, Some(stored)).await;
            assert_eq!(done, nobody, "{stored}");
        }
    }
}

#[tokio::test]
async fn a_check_of_a_dearer_hash_makes_all_later_checks_as_dear() {
    let hasher = hasher();
    assert_eq!(work(&hasher, "x", None).await, 128);
    let dearer = work(&hasher, "x", Some(CRYPT[1])).await;
    assert_eq!(dearer, 128 + 32);
    assert_eq!(work(&hasher, "x", None).await, dearer);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_bounded_and_whoever_leaves_it_makes_room() {
    let hasher = Hasher::new(&HasherOptions { memory_kib: 64 * 1024, passes: 2, concurrent: 1, waiting: 2 });
    let mut checks: Vec<_> = (0..3).map(|_| tokio::spawn(hasher.check("x", None))).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(matches!(hasher.check("x", None).await, Err(HashError::Busy)));
    // The last one is still in line.
    let leaver = checks.pop().expect("three");
    leaver.abort();
    assert!(leaver.await.is_err());
    assert_eq!(hasher.check("x", None).await.expect("there is room"), Checked::Wrong);
    for check in checks {
        assert_eq!(check.await.expect("it ended").expect("checked"), Checked::Wrong);
    }
    // What has begun is not taken back: its place is free when its hash has ended.
    let begun = tokio::spawn(hasher.check("x", None));
    tokio::time::sleep(Duration::from_millis(20)).await;
    begun.abort();
    let before = hasher.work();
    assert_eq!(hasher.check("x", None).await.expect("there is room"), Checked::Wrong);
    assert_eq!(hasher.work() - before, 2 * 64 * 1024 * 2);
}

#[test]
fn weak_passwords_are_told_with_their_reasons() {
    let policy =
        Policy { min_length: 8, classes: ["lower", "upper", "digit"].map(str::to_owned).to_vec(), ..Policy::default() };
    let none = Policy::default();
    assert_eq!(weakness("Xq7-mauve-lantern", &policy, &["alice@example.com"]), Vec::<&str>::new());
    assert_eq!(weakness("xQ7-", &policy, &[]), ["length"]);
    assert_eq!(weakness("xq7-mauve-lantern", &policy, &[]), ["characters"]);
    assert_eq!(weakness("", &policy, &[]), ["length", "characters"]);
    for common in
        ["password", "Password1", "p@ssw0rd", "123456789", "qwertyuiop", "letmein", "aaaaaaaaaa", &"x1y2".repeat(18)]
    {
        assert_eq!(weakness(common, &none, &[]), ["pwned"], "{common}");
    }
    for own in ["alice.of.example@example.com", "Alice.Of.Example@Example.com", "alice.of.example"] {
        assert_eq!(weakness(own, &none, &["alice.of.example@example.com"]), ["pwned"], "{own}");
    }
    let long = format!("{}mauve-lantern-7-xq", "a".repeat(40));
    for good in ["mauve lantern 7 xq", "correct horse battery staple", "日本語のパスワード七", &long] {
        assert_eq!(weakness(good, &none, &["alice@example.com", ""]), Vec::<&str>::new(), "{good}");
    }
    let lenient = Policy { min_length: 8, may_be_common: true, ..Policy::default() };
    for (password, reasons) in
        [("password123", &[][..]), ("letmein", &["length"]), ("alice.of.example", &["pwned"]), ("aaaaaaaaaa", &[])]
    {
        assert_eq!(weakness(password, &lenient, &["alice.of.example@example.com"]), reasons, "{password}");
    }
    let listed = Policy { classes: vec!["abc".to_owned(), "symbol".to_owned()], ..Policy::default() };
    assert_eq!(weakness("mauve-lantern-xyz", &listed, &[]), Vec::<&str>::new());
    assert_eq!(weakness("mudvxlzntern", &listed, &[]), ["characters"]);
}

#[test]
fn no_password_takes_long_to_look_at() {
    let tricky = ["4@8({[</369&#!1/|0$5+7%2/", "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "1111111111111111111111111111111"];
    let begun = std::time::Instant::now();
    for password in tricky {
        weakness(password, &Policy::default(), &["alice@example.com"]);
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

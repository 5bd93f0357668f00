//! Works out every fixed program-derived address once, at build time, from the two program ids. The programs
//! then compare 32 bytes where they would otherwise spend some 1,500 compute units on each derivation.

use solana_address::Address;
use std::{env, fmt::Write as _, fs, path::Path, str::FromStr};

const DEFAULT_REGISTRY_ID: &str = "AS6vsB8coXaS6hHU6qcD4ZfHJREejj975KgDis7rDWpK";
const DEFAULT_ENERGY_TOKEN_ID: &str = "7W6erfUE5fXNCwKWyj2P62qkqhjSRHzGLxHNVXb6mw1B";
const DEFAULT_TRADING_ID: &str = "H4onjARzXtAYoeBVZdELGX2bW1cSzJgoTQKkSutjMoD5";
const DEFAULT_ORACLE_ID: &str = "6asrQxkRXF4eZ3wB9eUkGZK32x2VG6XzadsvxzUhDCtz";
const DEFAULT_GOVERNANCE_ID: &str = "5uLzk9o92zecebe3syCoTePpe8ibU1rnxVia63qZYSdC";
const DEFAULT_CERTIFICATES_ID: &str = "7LAjAL8UJXZFWjzMWU5kFpCs7E1ND3qRFS1CtAjjP4zF";
const TOKEN_ID: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const TOKEN_2022_ID: &str = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
const UPGRADEABLE_LOADER_ID: &str = "BPFLoaderUpgradeab1e11111111111111111111111";

fn program_id(variable: &str, default: &str) -> Address {
    println!("cargo::rerun-if-env-changed={variable}");
    let text = env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned());
    Address::from_str(&text).unwrap_or_else(|error| panic!("{variable}: `{text}` is not a program id: {error}"))
}

fn constant(out: &mut String, name: &str, doc: &str, address: &Address) {
    writeln!(
        out,
        "/// {doc}: `{address}`.\npub const {name}: Address = Address::new_from_array({:?});",
        address.to_bytes()
    )
    .expect("writing to a string");
}

fn derived(out: &mut String, name: &str, doc: &str, seed: &[u8], program: &Address) {
    let (address, bump) = Address::find_program_address(&[seed], program);
    constant(out, name, doc, &address);
    writeln!(out, "/// The bump of [`{name}`].\npub const {name}_BUMP: u8 = {bump};").expect("writing to a string");
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/seeds.rs");
    let registry = program_id("GTX_REGISTRY_ID", DEFAULT_REGISTRY_ID);
    let energy_token = program_id("GTX_ENERGY_TOKEN_ID", DEFAULT_ENERGY_TOKEN_ID);
    assert!(registry != energy_token, "GTX_REGISTRY_ID and GTX_ENERGY_TOKEN_ID must differ");
    let trading = program_id("GTX_TRADING_ID", DEFAULT_TRADING_ID);
    let oracle = program_id("GTX_ORACLE_ID", DEFAULT_ORACLE_ID);
    let governance = program_id("GTX_GOVERNANCE_ID", DEFAULT_GOVERNANCE_ID);
    let certificates = program_id("GTX_CERTIFICATES_ID", DEFAULT_CERTIFICATES_ID);
    let loader = Address::from_str(UPGRADEABLE_LOADER_ID).expect("a constant");

    let mut out = String::new();
    constant(&mut out, "REGISTRY_ID", "The registry program", &registry);
    constant(&mut out, "ENERGY_TOKEN_ID", "The energy-token program", &energy_token);
    constant(&mut out, "TRADING_ID", "The trading program", &trading);
    constant(&mut out, "ORACLE_ID", "The oracle program", &oracle);
    constant(&mut out, "GOVERNANCE_ID", "The governance program", &governance);
    constant(&mut out, "CERTIFICATES_ID", "The certificates program", &certificates);
    for (name, doc, id) in [
        ("TOKEN_ID", "The classic SPL Token program", TOKEN_ID),
        ("TOKEN_2022_ID", "The Token-2022 program, of which GRID is", TOKEN_2022_ID),
    ] {
        constant(&mut out, name, doc, &Address::from_str(id).expect("a constant"));
    }
    constant(&mut out, "UPGRADEABLE_LOADER_ID", "The loader that owns program data accounts", &loader);
    derived(&mut out, "REGISTRY_CONFIG", "The registry's configuration", seeds::CONFIG, &registry);
    derived(
        &mut out,
        "MINT_AUTHORITY",
        "The only signer for whom energy-token mints",
        seeds::MINT_AUTHORITY,
        &registry,
    );
    derived(
        &mut out,
        "TOKEN_CONFIG",
        "energy-token's configuration and SPL mint authority",
        seeds::CONFIG,
        &energy_token,
    );
    derived(&mut out, "GRID_MINT", "The GRID mint", seeds::MINT, &energy_token);
    derived(&mut out, "CERTIFICATES_CONFIG", "The configuration of certificates", seeds::CONFIG, &certificates);
    derived(&mut out, "ORACLE_CONFIG", "The oracle's configuration", seeds::CONFIG, &oracle);
    derived(&mut out, "GOVERNANCE_CONFIG", "Governance's configuration", seeds::CONFIG, &governance);
    derived(&mut out, "GOV_MINT", "The GOV mint", seeds::MINT, &governance);
    derived(&mut out, "GOV_VAULT", "The token account of all deposits", seeds::VAULT, &governance);
    derived(&mut out, "GOVERNANCE_SIGNER", "The signer of executed proposals", seeds::GOVERNANCE, &governance);
    for (name, doc, program) in [
        ("REGISTRY_PROGRAM_DATA", "Where the loader keeps the registry's upgrade authority", &registry),
        ("ENERGY_TOKEN_PROGRAM_DATA", "Where the loader keeps energy-token's upgrade authority", &energy_token),
        ("TRADING_PROGRAM_DATA", "Where the loader keeps trading's upgrade authority", &trading),
        ("ORACLE_PROGRAM_DATA", "Where the loader keeps the oracle's upgrade authority", &oracle),
        ("GOVERNANCE_PROGRAM_DATA", "Where the loader keeps governance's upgrade authority", &governance),
        ("CERTIFICATES_PROGRAM_DATA", "Where the loader keeps the certificates' upgrade authority", &certificates),
    ] {
        let (address, _) = Address::find_program_address(&[program.as_ref()], &loader);
        constant(&mut out, name, doc, &address);
    }
    let path = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("addresses.rs");
    fs::write(path, out).expect("writing the addresses");
}

#[path = "src/seeds.rs"]
#[allow(dead_code)]
mod seeds;

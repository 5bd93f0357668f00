//! What the programs ask of the two SPL token programs, and what they read from their accounts: each layout once. Calls
//! are laid out on the stack. Sources: spl-token's `TokenInstruction`, `Account` and `Mint`; spl-token-2022's
//! `MetadataPointerInstruction` and `ExtensionType`; spl-token-metadata-interface's `TokenMetadataInstruction`.
//!
//! Safety of every call: no reference into the data of an account that is passed on is used across it. The functions
//! that read give their borrow back, and the programs' own accounts are never passed but as read-only signers.

use {
    crate::addresses::{TOKEN_2022_ID, TOKEN_ID},
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Signer},
        instruction::{InstructionAccount, InstructionView},
        AccountView,
    },
    solana_address::Address,
};

const TRANSFER: u8 = 3;
const MINT_TO: u8 = 7;
const BURN: u8 = 8;
const CLOSE_ACCOUNT: u8 = 9;
const INITIALIZE_ACCOUNT3: u8 = 18;
const INITIALIZE_MINT2: u8 = 20;
const METADATA_POINTER_EXTENSION: u8 = 39;
const INITIALIZE_METADATA_POINTER: u8 = 0;
/// sha256("spl_token_metadata_interface:initialize_account"), first eight bytes.
const INITIALIZE_METADATA: [u8; 8] = [210, 225, 30, 162, 88, 184, 77, 141];
/// sha256("spl_token_metadata_interface:updating_field"), first eight bytes.
const UPDATE_METADATA_FIELD: [u8; 8] = [221, 233, 49, 45, 181, 202, 220, 200];

/// Bytes of a token account without extensions, and where its fields start.
pub const ACCOUNT_BYTES: usize = 165;
const ACCOUNT_OWNER: usize = 32;
const ACCOUNT_AMOUNT: usize = 64;
const ACCOUNT_STATE: usize = 108;
const INITIALIZED: u8 = 1;
/// Bytes of a mint without extensions, and where its fields start.
pub const MINT_BYTES: usize = 82;
const MINT_DECIMALS: usize = 44;
const MINT_IS_INITIALIZED: usize = 45;
/// Bytes of a multisig, whose contents anybody can choose: never anything else.
const MULTISIG_BYTES: usize = 355;

/// Token-2022 pads mints and accounts to 165 bytes, says there what it is, and lists extensions behind.
const ACCOUNT_TYPE: usize = ACCOUNT_BYTES;
const TYPE_MINT: u8 = 1;
const TYPE_ACCOUNT: u8 = 2;
const FIRST_EXTENSION: usize = ACCOUNT_TYPE + 1;
/// Type u16 and length u16 before each extension.
const EXTENSION_HEADER: usize = 4;
const IMMUTABLE_OWNER: u16 = 7;
const MEMO_TRANSFER: u16 = 8;
const CPI_GUARD: u16 = 11;
const METADATA_POINTER: u16 = 18;
const TOKEN_METADATA: u16 = 19;
/// Two addresses: who may move the pointer, and where the metadata is.
const METADATA_POINTER_BYTES: usize = 64;
/// Bytes of a Token-2022 mint with a metadata pointer and nothing else.
pub const MINT_WITH_POINTER_BYTES: usize = FIRST_EXTENSION + EXTENSION_HEADER + METADATA_POINTER_BYTES;

/// What an associated account of Token-2022 has behind its 165 bytes when its mint asks for nothing: an owner that never
/// changes.
const ONLY_IMMUTABLE_OWNER: [u8; 5] = [TYPE_ACCOUNT, IMMUTABLE_OWNER as u8, 0, 0, 0];

/// Bytes of the metadata extension with its header: update authority, mint, name, symbol, URI, further fields.
pub const fn metadata_bytes(name: usize, symbol: usize, uri: usize, fields: usize) -> usize {
    EXTENSION_HEADER + 32 + 32 + (4 + name) + (4 + symbol) + (4 + uri) + 4 + fields
}

/// Bytes of one further field.
pub const fn metadata_field_bytes(key: usize, value: usize) -> usize {
    (4 + key) + (4 + value)
}

/// Calls `allowed(type, value)` for each extension; `false` as soon as it says so, or where the list is broken.
#[inline(never)]
fn each_extension(data: &[u8], account_type: u8, allowed: fn(u16, &[u8]) -> bool) -> bool {
    if data.len() <= FIRST_EXTENSION || data.len() == MULTISIG_BYTES || data[ACCOUNT_TYPE] != account_type {
        return false;
    }
    let mut rest = &data[FIRST_EXTENSION..];
    // What is too short for a header is padding.
    while let Some((header, behind)) = rest.split_first_chunk::<EXTENSION_HEADER>() {
        let kind = u16::from_le_bytes([header[0], header[1]]);
        if kind == 0 {
            return true;
        }
        let length = u16::from_le_bytes([header[2], header[3]]) as usize;
        if length > behind.len() {
            return false;
        }
        let (value, next) = behind.split_at(length);
        if !allowed(kind, value) {
            return false;
        }
        rest = next;
    }
    true
}

/// Whether nothing behind a token account's 165 bytes can stop a transfer to it: an owner that never changes, memos not
/// asked for, a guard that concerns its owner's own calls.
#[inline(always)]
fn account_is_simple(data: &[u8]) -> bool {
    data.len() == ACCOUNT_BYTES
        || data.get(ACCOUNT_BYTES..) == Some(&ONLY_IMMUTABLE_OWNER)
        || each_extension(data, TYPE_ACCOUNT, |kind, value| match kind {
            IMMUTABLE_OWNER | CPI_GUARD => true,
            MEMO_TRANSFER => value == [0],
            _ => false,
        })
}

#[inline(always)]
fn key_at(data: &[u8], offset: usize) -> Option<&[u8; 32]> {
    data.get(offset..).and_then(|rest| rest.first_chunk())
}

/// Whether this is a token account of `program` that can receive: initialised, not frozen, asking for nothing.
#[inline(always)]
fn is_usable(account: &AccountView, program: &Address, data: &[u8]) -> bool {
    account.owned_by(program)
        && data.len() >= ACCOUNT_BYTES
        && data[ACCOUNT_STATE] == INITIALIZED
        && account_is_simple(data)
}

/// Whether tokens can go to this account and are its owner's then. The authority of a classic account can be given away
/// without its address changing: such an account is not usable.
#[inline(always)]
pub fn is_usable_by(account: &AccountView, program: &Address, owner: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    is_usable(account, program, &data) && key_at(&data, ACCOUNT_OWNER) == Some(owner.as_array())
}

/// Whether this is a usable token account of `mint`, whoever owns it.
#[inline(always)]
pub fn is_usable_of(account: &AccountView, program: &Address, mint: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    is_usable(account, program, &data) && key_at(&data, 0) == Some(mint.as_array())
}

/// Who owns this token account of `program`; `None` for what is none, or too short to be one.
#[inline(always)]
pub fn is_owned_by(account: &AccountView, program: &Address, owner: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    account.owned_by(program) && key_at(&data, ACCOUNT_OWNER) == Some(owner.as_array())
}

/// What a token account holds; `None` for what is too short to be one.
#[inline(always)]
pub fn balance(account: &AccountView) -> Option<u64> {
    let data = account.try_borrow().ok()?;
    let bytes = data.get(ACCOUNT_AMOUNT..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// Whether this is one of the two token programs.
#[inline(always)]
pub fn is_token_program(address: &Address) -> bool {
    *address == TOKEN_ID || *address == TOKEN_2022_ID
}

/// What kind of mint this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintKind {
    /// An initialised mint of this program; its tokens arrive where they are sent, in the amount that was sent.
    Plain(Address),
    /// A Token-2022 mint with an extension other than metadata: one that takes fees, calls a hook, moves or burns
    /// anybody's tokens, freezes or locks accounts, hides amounts, shows other amounts, or lets the mint be closed and
    /// opened again with any of these.
    Extended,
    /// Anything else.
    NoMint,
}

/// What kind of mint this is, and the decimals of a plain one.
pub fn mint_kind(mint: &AccountView) -> (MintKind, u8) {
    let Ok(data) = mint.try_borrow() else { return (MintKind::NoMint, 0) };
    let program = if mint.owned_by(&TOKEN_ID) {
        TOKEN_ID
    } else if mint.owned_by(&TOKEN_2022_ID) {
        TOKEN_2022_ID
    } else {
        return (MintKind::NoMint, 0);
    };
    match mint_in(&data, program == TOKEN_2022_ID) {
        Some((true, decimals)) => (MintKind::Plain(program), decimals),
        Some((false, _)) => (MintKind::Extended, 0),
        None => (MintKind::NoMint, 0),
    }
}

/// Whether a mint is plain, and its decimals; `None` for what is no initialised mint.
fn mint_in(data: &[u8], can_be_extended: bool) -> Option<(bool, u8)> {
    let extended = data.len() != MINT_BYTES;
    let is_mint = !extended
        || (can_be_extended
            && data.len() > FIRST_EXTENSION
            && data.len() != MULTISIG_BYTES
            && data[ACCOUNT_TYPE] == TYPE_MINT);
    if !is_mint || data[MINT_IS_INITIALIZED] != 1 {
        return None;
    }
    let plain =
        !extended || each_extension(data, TYPE_MINT, |kind, _| kind == METADATA_POINTER || kind == TOKEN_METADATA);
    Some((plain, data[MINT_DECIMALS]))
}

/// Moves tokens. The token program checks mints, balance and authority, which has signed the transaction unless `signers`
/// signs for it.
#[inline(always)]
pub fn transfer(program: &Address, [from, to, authority]: [&AccountView; 3], amount: u64, signers: &[Signer]) {
    let data = with_amount(TRANSFER, amount);
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[
                    InstructionAccount::writable(from.address()),
                    InstructionAccount::writable(to.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(from), CpiAccount::from(to), CpiAccount::from(authority)],
            signers,
        );
    }
}

/// Mints in the name of `authority`. The token program checks that `destination` is an initialised, unfrozen account of
/// this mint, and that the supply does not overflow.
#[inline(always)]
pub fn mint_to(program: &Address, [mint, destination, authority]: [&AccountView; 3], amount: u64, signers: &[Signer]) {
    let data = with_amount(MINT_TO, amount);
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::writable(destination.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(mint), CpiAccount::from(destination), CpiAccount::from(authority)],
            signers,
        );
    }
}

/// Burns with the signature that `authority` gave to this transaction.
#[inline(always)]
pub fn burn(program: &Address, [source, mint, authority]: [&AccountView; 3], amount: u64) {
    let data = with_amount(BURN, amount);
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[
                    InstructionAccount::writable(source.address()),
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(source), CpiAccount::from(mint), CpiAccount::from(authority)],
            &[],
        );
    }
}

/// Makes a fresh account of 165 bytes a token account of `mint` with `owner` as its authority.
#[inline(always)]
pub fn initialize_account(program: &Address, account: &AccountView, mint: &AccountView, owner: &Address) {
    let data = with_address(INITIALIZE_ACCOUNT3, owner);
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[
                    InstructionAccount::writable(account.address()),
                    InstructionAccount::readonly(mint.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(account), CpiAccount::from(mint)],
            &[],
        );
    }
}

/// Closes an empty token account; its lamports go to `destination`.
#[inline(always)]
pub fn close_account(program: &Address, [account, destination, authority]: [&AccountView; 3], signers: &[Signer]) {
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[
                    InstructionAccount::writable(account.address()),
                    InstructionAccount::writable(destination.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: &[CLOSE_ACCOUNT],
            },
            &[CpiAccount::from(account), CpiAccount::from(destination), CpiAccount::from(authority)],
            signers,
        );
    }
}

/// Makes a fresh account a mint that nobody can freeze. With a metadata pointer, that has to be there before.
#[inline(always)]
pub fn initialize_mint(program: &Address, mint: &AccountView, decimals: u8, authority: &Address) {
    let mut data = [0; 35];
    data[0] = INITIALIZE_MINT2;
    data[1] = decimals;
    data[2..34].copy_from_slice(authority.as_ref());
    call_on(program, mint, &data);
}

/// Token-2022: says of a fresh account that is to become a mint that its metadata is in itself, for ever.
#[inline(always)]
pub fn initialize_own_metadata_pointer(mint: &AccountView) {
    let mut data = [0; 2 + METADATA_POINTER_BYTES];
    data[0] = METADATA_POINTER_EXTENSION;
    data[1] = INITIALIZE_METADATA_POINTER;
    // No authority could ever move the pointer: the first address stays zero.
    data[2 + 32..].copy_from_slice(mint.address().as_ref());
    call_on(&TOKEN_2022_ID, mint, &data);
}

/// Token-2022: writes name and symbol into the mint, and an empty URI; whoever may mint may change them. The mint has to
/// hold the lamports for its new size.
#[inline(always)]
pub fn initialize_metadata(mint: &AccountView, authority: &AccountView, name: &str, symbol: &str, signer: &[Signer]) {
    let mut data = Bytes::<64>::new();
    data.put(&INITIALIZE_METADATA);
    data.put_text(name);
    data.put_text(symbol);
    data.put_text("");
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &TOKEN_2022_ID,
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::readonly(authority.address()),
                    InstructionAccount::readonly(mint.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: data.as_slice(),
            },
            &[CpiAccount::from(mint), CpiAccount::from(authority), CpiAccount::from(mint), CpiAccount::from(authority)],
            signer,
        );
    }
}

/// Which part of the metadata.
#[derive(Clone, Copy, Debug)]
pub enum MetadataField<'a> {
    Uri,
    /// A further field.
    Key(&'a str),
}

/// The longest value of a field that is written here.
pub const MAX_METADATA_VALUE_BYTES: usize = 200;

/// Token-2022: sets a part of a mint's metadata. The mint has to hold the lamports for its new size.
#[inline(always)]
pub fn set_metadata(mint: &AccountView, authority: &AccountView, field: MetadataField, value: &str, signer: &[Signer]) {
    const URI: u8 = 2;
    const KEY: u8 = 3;
    let mut data = Bytes::<{ 8 + 1 + 4 + 32 + 4 + MAX_METADATA_VALUE_BYTES }>::new();
    data.put(&UPDATE_METADATA_FIELD);
    match field {
        MetadataField::Uri => data.put(&[URI]),
        MetadataField::Key(key) => {
            data.put(&[KEY]);
            data.put_text(key);
        }
    }
    data.put_text(value);
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &TOKEN_2022_ID,
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: data.as_slice(),
            },
            &[CpiAccount::from(mint), CpiAccount::from(authority)],
            signer,
        );
    }
}

/// A call that names one writable account.
#[inline(always)]
fn call_on(program: &Address, account: &AccountView, data: &[u8]) {
    // SAFETY: see the head of this file.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: program,
                accounts: &[InstructionAccount::writable(account.address())],
                data,
            },
            &[CpiAccount::from(account)],
            &[],
        );
    }
}

#[inline(always)]
fn with_amount(instruction: u8, amount: u64) -> [u8; 9] {
    let mut data = [0; 9];
    data[0] = instruction;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    data
}

#[inline(always)]
fn with_address(instruction: u8, address: &Address) -> [u8; 33] {
    let mut data = [0; 33];
    data[0] = instruction;
    data[1..].copy_from_slice(address.as_ref());
    data
}

/// Instruction data of a length that is only known at run time. What does not fit stops the program.
struct Bytes<const CAPACITY: usize> {
    bytes: [u8; CAPACITY],
    used: usize,
}

impl<const CAPACITY: usize> Bytes<CAPACITY> {
    #[inline(always)]
    fn new() -> Self {
        Self { bytes: [0; CAPACITY], used: 0 }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        self.bytes[self.used..end].copy_from_slice(bytes);
        self.used = end;
    }

    /// As Borsh does: length u32, then UTF-8.
    #[inline(always)]
    fn put_text(&mut self, text: &str) {
        self.put(&(text.len() as u32).to_le_bytes());
        self.put(text.as_bytes());
    }

    #[inline(always)]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        extended(TYPE_ACCOUNT, ACCOUNT_BYTES, extensions)
    }

    fn mint(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut data = extended(TYPE_MINT, MINT_BYTES, extensions);
        data[MINT_IS_INITIALIZED] = 1;
        data[MINT_DECIMALS] = 9;
        data
    }

    fn extended(account_type: u8, base: usize, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        if extensions.is_empty() {
            return vec![0; base];
        }
        let mut data = vec![0; ACCOUNT_BYTES];
        data.push(account_type);
        for (kind, value) in extensions {
            data.extend(kind.to_le_bytes());
            data.extend((value.len() as u16).to_le_bytes());
            data.extend(*value);
        }
        data
    }

    #[test]
    fn accounts_that_take_every_transfer() {
        assert!(account_is_simple(&account(&[])));
        assert!(account_is_simple(&account(&[(IMMUTABLE_OWNER, &[])])));
        assert!(account_is_simple(&account(&[(IMMUTABLE_OWNER, &[]), (MEMO_TRANSFER, &[0]), (CPI_GUARD, &[1])])));
        assert!(account_is_simple(&account(&[(MEMO_TRANSFER, &[0])])));
        // A list that ends with a zero type, or with less than a header.
        let mut padded = account(&[(CPI_GUARD, &[0])]);
        padded.extend([0; 9]);
        assert!(account_is_simple(&padded));
        padded.truncate(padded.len() - 6);
        assert!(account_is_simple(&padded));
    }

    #[test]
    fn accounts_that_do_not() {
        assert!(!account_is_simple(&account(&[(MEMO_TRANSFER, &[1])])));
        assert!(!account_is_simple(&account(&[(MEMO_TRANSFER, &[])])));
        for kind in (1..40).filter(|kind| ![IMMUTABLE_OWNER, MEMO_TRANSFER, CPI_GUARD].contains(kind)) {
            assert!(!account_is_simple(&account(&[(kind, &[])])), "{kind}");
            assert!(!account_is_simple(&account(&[(IMMUTABLE_OWNER, &[]), (kind, &[0; 8])])), "{kind}");
        }
        // A mint, a length beyond the end, a bare type byte.
        assert!(!account_is_simple(&extended(TYPE_MINT, ACCOUNT_BYTES, &[(IMMUTABLE_OWNER, &[])])));
        let mut broken = account(&[(CPI_GUARD, &[0])]);
        broken[FIRST_EXTENSION + 2] = 2;
        assert!(!account_is_simple(&broken));
        assert!(!account_is_simple(&vec![TYPE_ACCOUNT; FIRST_EXTENSION]));
        assert!(!account_is_simple(&[0; 82]));
    }

    /// Anybody can choose a multisig's signers, and with them nearly all of its bytes.
    #[test]
    fn a_multisig_is_nothing_else() {
        let mut data = account(&[(CPI_GUARD, &[0])]);
        data.resize(MULTISIG_BYTES, 0);
        assert!(!account_is_simple(&data));
        data.push(0);
        assert!(account_is_simple(&data));
        let mut data = mint(&[(METADATA_POINTER, &[0; 64])]);
        data.resize(MULTISIG_BYTES, 0);
        assert_eq!(mint_in(&data, true), None);
        data.push(0);
        assert_eq!(mint_in(&data, true), Some((true, 9)));
    }

    #[test]
    fn mints_with_metadata_and_nothing_else_are_plain() {
        assert_eq!(mint_in(&mint(&[]), false), Some((true, 9)));
        assert_eq!(mint_in(&mint(&[]), true), Some((true, 9)));
        let pointer: (u16, &[u8]) = (METADATA_POINTER, &[0; 64]);
        let metadata: (u16, &[u8]) = (TOKEN_METADATA, &[0; 105]);
        assert_eq!(mint_in(&mint(&[pointer]), true), Some((true, 9)));
        assert_eq!(mint_in(&mint(&[pointer, metadata]), true), Some((true, 9)));
        // The classic program knows no extensions: such data cannot be a mint of its.
        assert_eq!(mint_in(&mint(&[pointer]), false), None);
        for kind in (1..40).filter(|kind| ![METADATA_POINTER, TOKEN_METADATA].contains(kind)) {
            assert_eq!(mint_in(&mint(&[(kind, &[0; 8])]), true), Some((false, 9)), "{kind}");
            assert_eq!(mint_in(&mint(&[pointer, metadata, (kind, &[])]), true), Some((false, 9)), "{kind}");
        }
        let mut not_initialized = mint(&[pointer]);
        not_initialized[MINT_IS_INITIALIZED] = 0;
        assert_eq!(mint_in(&not_initialized, true), None);
        let mut an_account = mint(&[pointer]);
        an_account[ACCOUNT_TYPE] = TYPE_ACCOUNT;
        assert_eq!(mint_in(&an_account, true), None);
        assert_eq!(mint_in(&[1; FIRST_EXTENSION], true), None);
    }

    #[test]
    fn sizes_are_token_2022s() {
        assert_eq!(MINT_WITH_POINTER_BYTES, 234);
        // GRID, GRID, no URI, unit = 1 kWh.
        assert_eq!(metadata_bytes(4, 4, 0, metadata_field_bytes(4, 5)), 4 + 32 + 32 + 8 + 8 + 4 + 4 + 17);
    }
}

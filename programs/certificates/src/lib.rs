//! certificates: renewable-energy certificates (guarantees of origin, RECs) for settled energy. A certificate stands for
//! a range of a meter's settled total; a book per meter says how far that total is certified, so that no nkWh is ever
//! certified twice, whoever owns the meter.

extern crate sbf_shim;

mod error;
mod events;
mod funds;
mod instructions;
mod issuing;
mod meter;
mod registrar;
mod state;
mod text;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use anchor_lang::prelude::*;

/// This program's address; `GTX_CERTIFICATES_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::CERTIFICATES_ID as ID;

// The instructions that run all day come first: the dispatcher compares in this order.
#[program]
pub mod certificates {
    use super::*;

    /// Issues one certificate for everything that is settled and not certified, to the meter's owner, who has opted in
    /// (`set_auto_issue`). Anybody can call it. With `from_book` the lamports in the book pay the certificate's rent (the
    /// payer gets back what it advanced); without, the payer pays, and gets it back when the certificate is retired.
    pub fn issue_for(ctx: &mut Context<IssueFor>, from_book: bool) -> Result<()> {
        IssueFor::run(ctx, from_book)
    }

    /// Issues a certificate for the next `energy_nkwh` of what is settled and not certified. The meter's owner signs.
    pub fn issue(ctx: &mut Context<Issue>, energy_nkwh: u64) -> Result<()> {
        Issue::run(ctx, energy_nkwh)
    }

    /// Divides a certificate: its last `energy_nkwh` become a certificate of their own, of the same holder.
    pub fn split(ctx: &mut Context<Split>, energy_nkwh: u64) -> Result<()> {
        Split::run(ctx, energy_nkwh)
    }

    /// Gives a certificate to another holder.
    pub fn transfer(ctx: &mut Context<Transfer>, new_holder: Address) -> Result<()> {
        Transfer::run(ctx, new_holder)
    }

    /// Retires (cancels, redeems) a certificate for a beneficiary: it is closed, and a record remains that nothing can
    /// change or close. Both texts are UTF-8, zero-padded, without control characters; the reason may be empty.
    pub fn retire(ctx: &mut Context<Retire>, beneficiary: [u8; 96], reason: [u8; 128]) -> Result<()> {
        Retire::run(ctx, beneficiary, reason)
    }

    /// Opens a meter's book for its owner. The registrar attests the source, and from where on the settled energy is this
    /// owner's to certify: `start_total` nkWh, produced after `period_start`.
    pub fn open_book(ctx: &mut Context<OpenBook>, source: u8, start_total: u64, period_start: u32) -> Result<()> {
        OpenBook::run(ctx, source, start_total, period_start)
    }

    /// Hands a book to the meter's new owner. What was settled for a former owner and not certified never will be.
    /// Lamports left for rent go back to the former owner. Anybody can call it.
    pub fn adopt_book(ctx: &mut Context<AdoptBook>) -> Result<()> {
        AdoptBook::run(ctx)
    }

    /// The registrar attests another source, from now on. What is settled and not certified never will be.
    pub fn set_source(ctx: &mut Context<SetSource>, source: u8) -> Result<()> {
        SetSource::run(ctx, source)
    }

    /// The owner opts in to, or out of, certificates that anybody may issue to it (`issue_for`), each of at least
    /// `min_energy_nkwh`: 0 is one with each settlement.
    pub fn set_auto_issue(ctx: &mut Context<BookOwnerOnly>, enabled: bool, min_energy_nkwh: u64) -> Result<()> {
        BookOwnerOnly::set_auto_issue(ctx, enabled, min_energy_nkwh)
    }

    /// Takes lamports out of the book that were put there for rent. Works at any time.
    pub fn withdraw_funds(ctx: &mut Context<BookOwnerOnly>, lamports: u64) -> Result<()> {
        BookOwnerOnly::withdraw_funds(ctx, lamports)
    }

    /// Sets the program up. Only its upgrade authority can; it becomes the admin.
    pub fn initialize(ctx: &mut Context<Initialize>, guardian: Address) -> Result<()> {
        Initialize::run(ctx, guardian)
    }

    /// Stops or resumes everything about books and certificates but `withdraw_funds`. The guardian can only stop.
    pub fn set_paused(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
        SetPaused::run(ctx, paused)
    }

    pub fn set_guardian(ctx: &mut Context<AdminOnly>, new_guardian: Address) -> Result<()> {
        AdminOnly::set_guardian(ctx, new_guardian)
    }

    /// Names the next admin, who must accept; the zero address withdraws the proposal.
    pub fn propose_admin(ctx: &mut Context<AdminOnly>, new_admin: Address) -> Result<()> {
        AdminOnly::propose_admin(ctx, new_admin)
    }

    /// The proposed admin takes over.
    pub fn accept_admin(ctx: &mut Context<AcceptAdmin>) -> Result<()> {
        AcceptAdmin::run(ctx)
    }
}

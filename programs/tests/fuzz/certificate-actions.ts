/* Certificates: books, issuing, dividing, giving, retiring. */
import { PublicKey, SystemProgram } from '@solana/web3.js';
import { certificatesPda } from '../certificates.js';
import type { TestMeter } from '../support.js';
import type { Action, Attempt, Stage } from './engine.js';
import { anybody, config, doer, one, role } from './helpers.js';
import type { Shadow } from './ledger.js';
import type { Random } from './random.js';
import { keyNamed } from './world.js';

const CONFIG = 'certificates.Config';
interface Booked {
  meter: TestMeter;
  fields: Shadow['fields'];
  book: Shadow | undefined;
}
const all = (stage: Stage): Booked[] =>
  stage.world.meters.flatMap((meter) => {
    const found = stage.ledger.get(meter.address.toBase58(), 'registry.Meter');
    if (!found) return [];
    const owner = { publicKey: keyNamed(found.fields.owner) } as TestMeter['owner'];
    const book = stage.ledger.get(certificatesPda.book(meter.address).toBase58(), 'certificates.Book');
    return [{ meter: { ...meter, owner }, fields: found.fields, book }];
  });
const booked = (stage: Stage): (Booked & { book: Shadow })[] =>
  all(stage).filter((each): each is Booked & { book: Shadow } => each.book !== undefined);
const registrar = (stage: Stage) => role(stage, 'registry.Config', 'registrar');
/** A certificate, and the meter that it is of. */
const certificate = (stage: Stage, random: Random) => {
  const found = random.pick(stage.ledger.all('certificates.Certificate'));
  const meter =
    found && all(stage).find(({ meter: each }) => each.address.toBase58() === found.fields.meter)?.meter;
  return found && meter ? { address: keyNamed(found.key), fields: found.fields, meter } : undefined;
};
const due = ({ fields, book }: Booked & { book: Shadow }): bigint =>
  (fields.settled as bigint) - (book.fields.next_total as bigint);
const adopted = ({ fields, book }: Booked & { book: Shadow }): boolean => book.fields.owner === fields.owner;

function issue(stage: Stage, random: Random): Attempt | undefined {
  const found = random.chance(88)
    ? random.pick(booked(stage).filter((each) => due(each) > 0n && adopted(each) && each.fields.status !== 1))
    : random.pick(booked(stage));
  if (!found) return undefined;
  const { who, more } = doer(stage, random, found.meter.owner.publicKey);
  const most = due(found) < 1n ? 1n : due(found);
  const energy = random.chance(93) ? random.amount(most) : most + 1n;
  return one(stage.world.certificates.issue(found.meter, energy, { owner: who }), {
    ...more,
    ...(energy > due(found) ? { attack: 'certified <= settled', alone: true } : {}),
  });
}

export const certificateActions: readonly Action[] = [
  {
    name: 'open a book',
    weight: 3,
    attempt: (stage, random) => {
      const found = random.pick(all(stage).filter(({ book }) => !book || random.chance(5)));
      if (!found) return undefined;
      const { who, more } = doer(stage, random, registrar(stage));
      const ahead = random.chance(5) ? { startTotal: (found.fields.settled as bigint) + 1n } : {};
      return one(stage.world.certificates.openBook(found.meter, ahead, { registrar: who }), more);
    },
  },
  { name: 'issue a certificate', weight: 6, attempt: issue },
  {
    name: 'issue a certificate for an owner',
    weight: 4,
    attempt: (stage, random) => {
      const wanting = booked(stage).filter(
        (each) =>
          each.book.fields.auto_issue === 1 &&
          due(each) >= (each.book.fields.auto_issue_min_nkwh || 1n) &&
          adopted(each) &&
          each.fields.status !== 1,
      );
      const found = random.chance(90) ? random.pick(wanting) : random.pick(booked(stage));
      return found && one(stage.world.certificates.issueFor(found.meter, random.chance(40)));
    },
  },
  {
    name: 'let others issue, or not',
    weight: 3,
    attempt: (stage, random) => {
      const found = random.pick(booked(stage));
      if (!found) return undefined;
      const { who, more } = doer(stage, random, found.meter.owner.publicKey);
      const enabled = random.chance(80);
      const min = random.chance(70) ? 0n : random.amount(10n ** 9n);
      return one(stage.world.certificates.setAutoIssue(found.meter, enabled, min, { owner: who }), more);
    },
  },
  {
    name: 'put lamports into a book',
    weight: 2,
    attempt: (stage, random) => {
      const found = random.pick(booked(stage));
      if (!found) return undefined;
      return {
        instructions: [
          SystemProgram.transfer({
            fromPubkey: stage.world.payer.publicKey,
            toPubkey: certificatesPda.book(found.meter.address),
            lamports: random.between(1, 9_000_000),
          }),
        ],
        alone: true,
      };
    },
  },
  {
    name: 'take lamports out of a book',
    weight: 2,
    attempt: (stage, random) => {
      const found = random.pick(booked(stage));
      if (!found) return undefined;
      const { who, more } = doer(stage, random, keyNamed(found.book.fields.owner));
      const spare = found.book.lamports - stage.ledger.rent(found.book.size);
      if (spare === 0n && random.chance(90)) return undefined;
      const lamports = random.chance(95) ? random.amount(spare < 1n ? 1n : spare) : spare + 1n;
      return one(stage.world.certificates.withdrawFunds(found.meter, lamports, { owner: who }), more);
    },
  },
  {
    name: 'hand a book to the new owner',
    weight: 4,
    attempt: (stage, random) => {
      const moved = booked(stage).filter((each) => !adopted(each));
      const found = random.chance(95) ? random.pick(moved) : random.pick(booked(stage));
      return found && one(stage.world.certificates.adoptBook(found.meter));
    },
  },
  {
    name: 'attest another source',
    weight: 1,
    attempt: (stage, random) => {
      const found = random.pick(booked(stage).filter(adopted));
      if (!found) return undefined;
      const { who, more } = doer(stage, random, registrar(stage));
      return one(
        stage.world.certificates.setSource(found.meter, random.between(1, 4), { registrar: who }),
        more,
      );
    },
  },
  {
    name: 'divide a certificate',
    weight: 3,
    attempt: (stage, random) => {
      const found = certificate(stage, random);
      if (!found) return undefined;
      const { who, more } = doer(stage, random, keyNamed(found.fields.holder));
      const energy = (found.fields.to_total as bigint) - (found.fields.from_total as bigint);
      const part = random.chance(92) ? random.amount(energy - 1n < 1n ? 1n : energy - 1n) : energy;
      return one(stage.world.certificates.split(found.meter, found.address, part, who), more);
    },
  },
  {
    name: 'give a certificate away',
    weight: 3,
    attempt: (stage, random) => {
      const found = certificate(stage, random);
      if (!found) return undefined;
      const { who, more } = doer(stage, random, keyNamed(found.fields.holder));
      return one(stage.world.certificates.give(found.address, who, anybody(stage, random).publicKey), more);
    },
  },
  {
    name: 'retire a certificate',
    weight: 2,
    attempt: (stage, random) => {
      const found = certificate(stage, random);
      if (!found) return undefined;
      const { who, more } = doer(stage, random, keyNamed(found.fields.holder));
      return one(
        stage.world.certificates.retireCertificate(found.meter, found.address, { holder: who }),
        more,
      );
    },
  },
  {
    name: 'pause certificates',
    weight: 1,
    attempt: (stage, random) => {
      const { who, more } = doer(
        stage,
        random,
        role(stage, CONFIG, random.chance(50) ? 'admin' : 'guardian'),
      );
      return one(stage.world.certificates.pauseCertificates(true, who), more);
    },
  },
  {
    name: 'resume certificates',
    weight: 25,
    attempt: (stage, random) => {
      if (config(stage, CONFIG).paused === 0) return undefined;
      const { who, more } = doer(stage, random, role(stage, CONFIG, 'admin'));
      return one(stage.world.certificates.pauseCertificates(false, who), more);
    },
  },
  {
    name: "set one of certificates' roles",
    weight: 2,
    attempt: (stage, random) => {
      const someone = anybody(stage, random).publicKey;
      const { who, more } = doer(stage, random, role(stage, CONFIG, 'admin'));
      return random.chance(50)
        ? one(
            stage.world.certificates.certificatesAdmin('set_guardian', { new_guardian: someone }, who),
            more,
          )
        : one(stage.world.certificates.certificatesAdmin('propose_admin', { new_admin: someone }, who), more);
    },
  },
  {
    name: 'take certificates over',
    weight: 1,
    attempt: (stage, random) => {
      const pending = role(stage, CONFIG, 'pending_admin');
      if (pending.equals(PublicKey.default)) return undefined;
      const { who, more } = doer(stage, random, pending);
      return one(stage.world.certificates.acceptCertificatesAdmin(who), more);
    },
  },
  {
    name: 'initialise certificates again',
    weight: 1,
    attempt: (stage) =>
      one(stage.world.certificates.initializeCertificates(stage.world.eve.publicKey), {
        attack: 'nothing is initialised twice',
        alone: true,
      }),
  },
];

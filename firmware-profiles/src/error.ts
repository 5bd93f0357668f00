/** One thing that is wrong with a file, and where. */
export interface ProfileIssue {
  file?: string;
  /** From 1; missing when the profile did not come from a text. */
  line?: number;
  column?: number;
  /** The setting, for example `registers.energy_import.address`. */
  path: string;
  message: string;
}

/**
 * What is wrong with a profile or a meter's value. The codes are those of the error catalogue; this package
 * imports nothing, so the callers wrap it.
 */
export class ProfileError extends Error {
  override readonly name = 'ProfileError';
  readonly code: 'PROFILE_INVALID' | 'METER_VALUE_INVALID';
  /** What is wrong with a file, part by part. */
  readonly issues: readonly ProfileIssue[];

  constructor(
    code: ProfileError['code'],
    message: string,
    options?: { cause?: unknown; issues?: readonly ProfileIssue[] },
  ) {
    super(message, options);
    this.code = code;
    this.issues = options?.issues ?? [];
  }
}

/**
 * What is wrong with a profile or a meter's value. The codes are those of the error catalogue; this package
 * imports nothing, so the callers wrap it.
 */
export class ProfileError extends Error {
  override readonly name = 'ProfileError';
  readonly code: 'PROFILE_INVALID' | 'METER_VALUE_INVALID';

  constructor(code: ProfileError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

//! Hashes as records show them.

/// The first digits of a BLAKE3 hash, marked by its name: `b3:9d41c07e`. At most 64 digits.
pub fn fingerprint(hash: &blake3::Hash, digits: usize) -> String {
    format!("b3:{}", hash.to_hex().as_str().get(..digits).unwrap_or_default())
}

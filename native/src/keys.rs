//! Keys of SRTP and SRTCP from a master key (RFC 3711 section 4.3, RFC 7714 section 11).

use aes::cipher::{generic_array::GenericArray, KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use ring::aead::{LessSafeKey, UnboundKey, AES_128_GCM, AES_256_GCM};
use sha1::Sha1;

type Aes128Counter = ctr::Ctr128BE<aes::Aes128>;
type Aes256Counter = ctr::Ctr128BE<aes::Aes256>;

/// The largest tag of a profile, and the SRTCP index before it, in octets.
pub const MAX_TAG: usize = 16;

const SALT_LENGTH: usize = 14;
const MAC_KEY_LENGTH: usize = 20;

/// RFC 3711 section 4.3.2: what a key is for.
#[derive(Clone, Copy)]
enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// How the packets of one kind, RTP or RTCP, are protected.
pub enum Cipher {
    /// AEAD with AES in Galois/Counter mode (RFC 7714).
    Gcm {
        key: Box<LessSafeKey>,
        salt: [u8; 12],
    },
    /// AES in counter mode and HMAC-SHA1 with 80 bits (RFC 3711 section 4).
    Counter {
        key: [u8; 16],
        salt: [u8; SALT_LENGTH],
        mac: Box<Hmac<Sha1>>,
    },
}

impl Cipher {
    /// Octets of the authentication tag.
    pub fn tag_length(&self) -> usize {
        match self {
            Cipher::Gcm { .. } => 16,
            Cipher::Counter { .. } => 10,
        }
    }
}

/// Counter mode with a key and the initial block of a packet.
pub fn apply_counter(key: &[u8; 16], block: &[u8; 16], data: &mut [u8]) {
    Aes128Counter::new(
        GenericArray::from_slice(key),
        GenericArray::from_slice(block),
    )
    .apply_keystream(data);
}

/// The ciphers for RTP and for RTCP.
///
/// Returns None when there is no profile with such lengths of key and salt: AES-GCM has
/// a salt of 12 octets and a key of 16 or 32, AES-CM a salt of 14 and a key of 16.
pub fn derive(key: &[u8], salt: &[u8]) -> Option<(Cipher, Cipher)> {
    let master = Master::new(key, salt)?;
    Some((
        master.cipher(
            Label::RtpEncryption,
            Label::RtpAuthentication,
            Label::RtpSalt,
        )?,
        master.cipher(
            Label::RtcpEncryption,
            Label::RtcpAuthentication,
            Label::RtcpSalt,
        )?,
    ))
}

struct Master<'a> {
    key: &'a [u8],
    /// Of 14 octets: that of AES-GCM is followed by zeros (RFC 7714 section 11).
    salt: [u8; SALT_LENGTH],
    is_gcm: bool,
}

impl<'a> Master<'a> {
    fn new(key: &'a [u8], salt: &[u8]) -> Option<Self> {
        let is_gcm = match (key.len(), salt.len()) {
            (16 | 32, 12) => true,
            (16, SALT_LENGTH) => false,
            _ => return None,
        };
        let mut padded = [0; SALT_LENGTH];
        padded[..salt.len()].copy_from_slice(salt);
        Some(Self {
            key,
            salt: padded,
            is_gcm,
        })
    }

    fn cipher(&self, encryption: Label, authentication: Label, salting: Label) -> Option<Cipher> {
        if self.is_gcm {
            let algorithm = if self.key.len() == 16 {
                &AES_128_GCM
            } else {
                &AES_256_GCM
            };
            let mut key = [0; 32];
            let key = &mut key[..self.key.len()];
            self.derive(encryption, key);
            let mut salt = [0; 12];
            self.derive(salting, &mut salt);
            let unbound = UnboundKey::new(algorithm, key).ok()?;
            return Some(Cipher::Gcm {
                key: Box::new(LessSafeKey::new(unbound)),
                salt,
            });
        }
        let (mut key, mut salt, mut secret) = ([0; 16], [0; SALT_LENGTH], [0; MAC_KEY_LENGTH]);
        self.derive(encryption, &mut key);
        self.derive(salting, &mut salt);
        self.derive(authentication, &mut secret);
        Some(Cipher::Counter {
            key,
            salt,
            mac: Box::new(Hmac::new_from_slice(&secret).ok()?),
        })
    }

    /// The pseudorandom function: the key stream of the block that the label gives.
    fn derive(&self, label: Label, out: &mut [u8]) {
        let mut block = [0; 16];
        block[..SALT_LENGTH].copy_from_slice(&self.salt);
        // The label comes before an index of 48 bits, which is 0.
        block[7] ^= label as u8;
        out.fill(0);
        if self.key.len() == 16 {
            Aes128Counter::new(
                GenericArray::from_slice(self.key),
                GenericArray::from_slice(&block),
            )
            .apply_keystream(out);
        } else {
            Aes256Counter::new(
                GenericArray::from_slice(self.key),
                GenericArray::from_slice(&block),
            )
            .apply_keystream(out);
        }
    }
}

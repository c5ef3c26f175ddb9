//! The calls into the library.
//!
//! Its functions take arrays of eight pointers, one for each lane, and give back a status of four bits for each. The
//! wrappers here take references to whole arrays of the right size, so that nothing but what is said here can go wrong.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::path::Path;
use std::ptr;

use libloading::os::unix::{Library as Handle, RTLD_LOCAL, RTLD_NOW};

use crate::LANES;

/// Libraries that Intel's own build names without using anything of them. They are installed beside it, where the
/// loader does not look by itself.
const COMPANIONS: [&str; 4] = ["libintlc.so.5", "libimf.so", "libirng.so", "libsvml.so"];

type Lanes<T> = [T; LANES];
type P256Sign = unsafe extern "C" fn(
    *const *mut u8,
    *const *mut u8,
    *const *const u8,
    *const *const u64,
    *const *const u64,
    *mut u8,
) -> u32;
type P256Verify = unsafe extern "C" fn(
    *const *const u8,
    *const *const u8,
    *const *const u8,
    *const *const u64,
    *const *const u64,
    *const *const u64,
    *mut u8,
) -> u32;
type RsaMethod = unsafe extern "C" fn(c_int) -> *const Opaque;
type RsaPrivate = unsafe extern "C" fn(
    *const *const u8,
    *const *mut u8,
    *const *const u64,
    *const *const u64,
    *const *const u64,
    *const *const u64,
    *const *const u64,
    c_int,
    *const Opaque,
    *mut u8,
) -> u32;
type RsaPublic = unsafe extern "C" fn(
    *const *const u8,
    *const *mut u8,
    *const *const u64,
    c_int,
    *const Opaque,
    *mut u8,
) -> u32;

/// `mbx_RSA_Method`, which the library keeps to itself.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

/// `mbxVersion`.
#[repr(C)]
struct Version {
    numbers: [c_int; 3],
    target_cpu: [c_char; 4],
    name: *const c_char,
    build_date: *const c_char,
    text: *const c_char,
}

/// The functions that are used, and the library that they are in.
pub(crate) struct Functions {
    p256_sign: P256Sign,
    p256_verify: P256Verify,
    rsa_private_method: RsaMethod,
    rsa_public_method: RsaMethod,
    rsa_private: RsaPrivate,
    rsa_public: RsaPublic,
    is_applicable: unsafe extern "C" fn(u64) -> c_int,
    version: unsafe extern "C" fn() -> *const Version,
    /// Last, so that it outlives the functions.
    _library: Handle,
}

/// Why the library is not there.
pub(crate) enum OpenError {
    /// No such file.
    NotFound,
    /// What the loader says.
    Loader(String),
}

/// Which lanes went well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Status(u32);

impl Status {
    /// Whether this lane went well.
    pub(crate) const fn is_ok(self, lane: usize) -> bool {
        (self.0 >> (4 * lane)) & 0xf == 0
    }
}

/// The numbers of an RSA private key, as little-endian words.
pub(crate) struct RsaPrivateNumbers<'a> {
    pub(crate) p: &'a [u64],
    pub(crate) q: &'a [u64],
    pub(crate) dp: &'a [u64],
    pub(crate) dq: &'a [u64],
    pub(crate) q_inverse: &'a [u64],
}

impl Functions {
    /// Loads the library and looks its functions up.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let library = load(path)?;
        // SAFETY: each type is that of the function's declaration in the library's headers (interface version 13).
        unsafe {
            Ok(Self {
                p256_sign: find(&library, "mbx_nistp256_ecdsa_sign_mb8")?,
                p256_verify: find(&library, "mbx_nistp256_ecdsa_verify_mb8")?,
                rsa_private_method: find(&library, "mbx_RSA_private_crt_Method")?,
                rsa_public_method: find(&library, "mbx_RSA_pub65537_Method")?,
                rsa_private: find(&library, "mbx_rsa_private_crt_mb8")?,
                rsa_public: find(&library, "mbx_rsa_public_mb8")?,
                is_applicable: find(&library, "mbx_is_crypto_mb_applicable")?,
                version: find(&library, "mbx_getversion")?,
                _library: library,
            })
        }
    }

    /// Whether the CPU and the system can do what the library needs. Nothing else may be called before this said yes.
    pub(crate) fn is_applicable(&self) -> bool {
        // SAFETY: it takes a number only; 0 asks about this CPU.
        unsafe { (self.is_applicable)(0) != 0 }
    }

    /// What the library calls itself.
    pub(crate) fn version(&self) -> String {
        // SAFETY: it gives a pointer to a structure that lives as long as the library, or null.
        let version = unsafe { (self.version)().as_ref() };
        let text = version.map_or(ptr::null(), |version| version.text);
        if text.is_null() {
            return "crypto_mb".to_owned();
        }
        // SAFETY: a string of that structure, ended by a zero octet.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }

    /// Signs eight digests on P-256; each signature is r and s, big-endian, 32 octets each.
    pub(crate) fn p256_sign(
        &self,
        digests: &Lanes<[u8; 32]>,
        nonces: &Lanes<[u64; 4]>,
        key: &[u64; 4],
        signatures: &mut Lanes<[[u8; 32]; 2]>,
    ) -> Status {
        let mut r = [ptr::null_mut(); LANES];
        let mut s = [ptr::null_mut(); LANES];
        for (lane, [r_out, s_out]) in signatures.iter_mut().enumerate() {
            r[lane] = r_out.as_mut_ptr();
            s[lane] = s_out.as_mut_ptr();
        }
        let digests = digests.each_ref().map(|digest| digest.as_ptr());
        let nonces = nonces.each_ref().map(|nonce| nonce.as_ptr());
        let keys = [key.as_ptr(); LANES];
        // SAFETY: eight pointers each, to 32 octets or four words; the outputs do not overlap. P-256 needs no buffer.
        let status = unsafe {
            (self.p256_sign)(
                r.as_ptr(),
                s.as_ptr(),
                digests.as_ptr(),
                nonces.as_ptr(),
                keys.as_ptr(),
                ptr::null_mut(),
            )
        };
        Status(status)
    }

    /// Verifies eight signatures of the key with these affine coordinates.
    pub(crate) fn p256_verify(
        &self,
        digests: &Lanes<[u8; 32]>,
        signatures: &Lanes<[[u8; 32]; 2]>,
        point: &[[u64; 4]; 2],
    ) -> Status {
        let r = signatures.each_ref().map(|[r, _]| r.as_ptr());
        let s = signatures.each_ref().map(|[_, s]| s.as_ptr());
        let digests = digests.each_ref().map(|digest| digest.as_ptr());
        let [x, y] = point.each_ref().map(|number| [number.as_ptr(); LANES]);
        // SAFETY: eight pointers each, to 32 octets or four words, all only read. A null third coordinate says that
        // they are affine. P-256 needs no buffer.
        let status = unsafe {
            (self.p256_verify)(
                r.as_ptr(),
                s.as_ptr(),
                digests.as_ptr(),
                x.as_ptr(),
                y.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
            )
        };
        Status(status)
    }

    /// Raises eight encoded messages to the private exponent; messages and results are as long as the modulus.
    ///
    /// # Panics
    /// If a length is not the one that `bits` says.
    pub(crate) fn rsa_private(
        &self,
        messages: &[u8],
        numbers: &RsaPrivateNumbers<'_>,
        bits: u32,
        results: &mut [u8],
    ) -> Status {
        let octets = bits as usize / 8;
        assert!(messages.len() == LANES * octets && results.len() == LANES * octets);
        let all = [
            numbers.p,
            numbers.q,
            numbers.dp,
            numbers.dq,
            numbers.q_inverse,
        ];
        assert!(all.iter().all(|number| number.len() == octets / 16));
        let from = lanes(messages, octets);
        let to = lanes_mut(results, octets);
        let [p, q, dp, dq, q_inverse] = all.map(|number| [number.as_ptr(); LANES]);
        // Lossless: some thousand.
        let bits = bits as c_int;
        // SAFETY: eight pointers each; the lengths are asserted above; messages and results do not overlap, one being
        // borrowed mutably. A null method, for a size that the library does not know, is an error status of each lane.
        // Without a buffer it takes one of its own for the call.
        let status = unsafe {
            (self.rsa_private)(
                from.as_ptr(),
                to.as_ptr(),
                p.as_ptr(),
                q.as_ptr(),
                dp.as_ptr(),
                dq.as_ptr(),
                q_inverse.as_ptr(),
                bits,
                (self.rsa_private_method)(bits),
                ptr::null_mut(),
            )
        };
        Status(status)
    }

    /// Raises eight signatures to the public exponent 65,537; signatures and results are as long as the modulus.
    ///
    /// # Panics
    /// If a length is not the one that `bits` says.
    pub(crate) fn rsa_public(
        &self,
        signatures: &[u8],
        modulus: &[u64],
        bits: u32,
        results: &mut [u8],
    ) -> Status {
        let octets = bits as usize / 8;
        assert!(signatures.len() == LANES * octets && results.len() == LANES * octets);
        assert!(modulus.len() == octets / 8);
        let from = lanes(signatures, octets);
        let to = lanes_mut(results, octets);
        let modulus = [modulus.as_ptr(); LANES];
        // Lossless: some thousand.
        let bits = bits as c_int;
        // SAFETY: as in `rsa_private`.
        let status = unsafe {
            (self.rsa_public)(
                from.as_ptr(),
                to.as_ptr(),
                modulus.as_ptr(),
                bits,
                (self.rsa_public_method)(bits),
                ptr::null_mut(),
            )
        };
        Status(status)
    }
}

/// Where each lane begins.
fn lanes(octets: &[u8], length: usize) -> Lanes<*const u8> {
    std::array::from_fn(|lane| octets[lane * length..][..length].as_ptr())
}

fn lanes_mut(octets: &mut [u8], length: usize) -> Lanes<*mut u8> {
    let mut pointers = [ptr::null_mut(); LANES];
    for (pointer, lane) in pointers.iter_mut().zip(octets.chunks_exact_mut(length)) {
        *pointer = lane.as_mut_ptr();
    }
    pointers
}

fn load(path: &Path) -> Result<Handle, OpenError> {
    if path.components().count() > 1 {
        return load_file(path).map_err(OpenError::Loader);
    }
    load_one(path.as_os_str()).map_err(|reason| {
        // The loader names what it misses: the library itself, or one that it needs.
        let itself = reason.contains(&*path.to_string_lossy());
        if itself && reason.contains("No such file") {
            OpenError::NotFound
        } else {
            OpenError::Loader(reason)
        }
    })
}

fn load_file(path: &Path) -> Result<Handle, String> {
    // The loader takes what is loaded already for what a library needs.
    let companions: Vec<_> = COMPANIONS
        .iter()
        .filter_map(|name| load_one(path.with_file_name(name).as_os_str()).ok())
        .collect();
    let library = load_one(path.as_os_str());
    drop(companions);
    library
}

fn load_one(name: &OsStr) -> Result<Handle, String> {
    // SAFETY: the initialisers of these libraries look at the CPU and touch nothing of ours. Which file is loaded is the
    // operator's word, as with every library of the system.
    let library = unsafe { Handle::open(Some(name), RTLD_NOW | RTLD_LOCAL) };
    library.map_err(|error| error.to_string())
}

/// Looks a function up.
///
/// # Safety
/// `T` must be the function's type.
unsafe fn find<T: Copy>(library: &Handle, name: &str) -> Result<T, OpenError> {
    // SAFETY: the caller's promise.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|_| OpenError::Loader(format!("it has no function {name}")))
}

//! Private keys that stay in a PKCS#11 token: a hardware security module, a smart card, SoftHSM.
//!
//! A process has one PKCS#11 context for its whole life, since modules do not bear a second one, and a session for each
//! thread that is at work, since a session does one thing at a time. Sessions that failed are thrown away: a token that
//! was pulled out and put back works again with the next call.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use pki::KeyKind;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::token_key::{TokenKey, public_key_of, templates};
use crate::{KeyError, SigningKey};

/// Where a token is, and how it is opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenPlace {
    /// The vendor's PKCS#11 library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The file that holds the user PIN.
    pub pin_file: PathBuf,
}

/// A token that holds keys; clones share it. Nothing is opened before it is needed, so a token that is away keeps
/// nobody from starting.
#[derive(Clone)]
pub struct Token {
    shared: Arc<Shared>,
}

struct Shared {
    module: PathBuf,
    token: String,
    pin: Pin,
    idle: Mutex<Vec<Open>>,
}

/// Where the PIN is taken from each time the token is opened.
enum Pin {
    File(PathBuf),
    Known(SecretString),
}

/// A session that is logged in, and the private keys that it has found, by their CKA_ID.
pub(crate) struct Open {
    pub(crate) session: Session,
    keys: HashMap<Vec<u8>, ObjectHandle>,
}

impl Token {
    /// The token at this place.
    pub fn new(place: TokenPlace) -> Self {
        let TokenPlace {
            module,
            token,
            pin_file,
        } = place;
        Self::opened_by(module, token, Pin::File(pin_file))
    }

    /// The token with this label, opened with this PIN.
    pub fn with_pin(module: PathBuf, token: &str, pin: SecretString) -> Self {
        Self::opened_by(module, token.to_owned(), Pin::Known(pin))
    }

    fn opened_by(module: PathBuf, token: String, pin: Pin) -> Self {
        Self {
            shared: Arc::new(Shared {
                module,
                token,
                pin,
                idle: Mutex::default(),
            }),
        }
    }

    /// Makes a key in the token; it can sign there and never leaves.
    pub fn generate(&self, kind: KeyKind, label: &str) -> Result<SigningKey, KeyError> {
        let mut id = vec![0; 16];
        rand::fill(&mut id).map_err(|_| KeyError::Crypto("drawing a random number"))?;
        let (mechanism, public, private) = templates(kind, label, &id)?;
        self.with_session("making a key", |open| {
            open.session
                .generate_key_pair(&mechanism, &public, &private)
        })?;
        self.key(&id)
    }

    /// The keys with this label; those of kinds that are not used here are left out.
    pub fn keys(&self, label: &str) -> Result<Vec<SigningKey>, KeyError> {
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        let ids = self.with_session("looking for keys", |open| {
            let mut ids = Vec::new();
            for key in open.session.find_objects(&template)? {
                let found = open.session.get_attributes(key, &[AttributeType::Id])?;
                if let Some(Attribute::Id(id)) = found.into_iter().next() {
                    ids.push(id);
                }
            }
            Ok(ids)
        })?;
        let mut keys = Vec::new();
        for id in ids {
            match self.key(&id) {
                Err(KeyError::Unsupported(_) | KeyError::Malformed(_)) => {}
                key => keys.push(key?),
            }
        }
        Ok(keys)
    }

    /// Removes a key for ever; one that is not in this token is left alone.
    pub fn destroy(&self, key: &SigningKey) -> Result<(), KeyError> {
        let Some(id) = key.token_id() else {
            return Ok(());
        };
        self.with_session("removing a key", |open| {
            open.keys.remove(id);
            for object in open.session.find_objects(&[Attribute::Id(id.to_vec())])? {
                open.session.destroy_object(object)?;
            }
            Ok(())
        })
    }

    /// The key with this CKA_ID.
    pub fn key(&self, id: &[u8]) -> Result<SigningKey, KeyError> {
        let attributes = self.with_session("reading a public key", |open| {
            let template = [
                Attribute::Class(ObjectClass::PUBLIC_KEY),
                Attribute::Id(id.to_vec()),
            ];
            let wanted = [
                AttributeType::KeyType,
                AttributeType::EcParams,
                AttributeType::EcPoint,
                AttributeType::Modulus,
                AttributeType::PublicExponent,
            ];
            match open.session.find_objects(&template)?.first() {
                Some(public) => open.session.get_attributes(*public, &wanted),
                None => Ok(Vec::new()),
            }
        })?;
        let public = public_key_of(&attributes)?;
        SigningKey::in_token(TokenKey::new(self.clone(), id.to_vec()), public)
    }

    /// Does something in a session; once more in a new one if the session was no good any more.
    pub(crate) fn with_session<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&mut Open) -> Result<T, Error>,
    ) -> Result<T, KeyError> {
        let idle = self.idle().pop();
        if let Some(mut open) = idle {
            if let Ok(done) = work(&mut open) {
                self.idle().push(open);
                return Ok(done);
            }
            // The others are no better. Logging in anew needs that no session is left.
            drop(open);
            self.idle().clear();
        }
        let failed = |error: Error| self.failed(doing, &brief(&error));
        let mut open = self.open(doing)?;
        let done = work(&mut open).map_err(failed)?;
        self.idle().push(open);
        Ok(done)
    }

    fn open(&self, doing: &'static str) -> Result<Open, KeyError> {
        let failed = |error: Error| self.failed(doing, &brief(&error));
        let shared = &self.shared;
        let context = context(&shared.module).map_err(|reason| self.failed(doing, &reason))?;
        let mut found = None;
        for slot in context.get_slots_with_initialized_token().map_err(failed)? {
            // A slot whose token has just gone away is not the one.
            let Ok(info) = context.get_token_info(slot) else {
                continue;
            };
            if info.label() == shared.token {
                found = Some(slot);
                break;
            }
        }
        let slot = found.ok_or_else(|| self.failed(doing, "there is no token with this label"))?;
        let session = context.open_rw_session(slot).map_err(failed)?;
        let pin = match &shared.pin {
            Pin::Known(pin) => pin.clone(),
            Pin::File(path) => {
                let text = Zeroizing::new(fs::read_to_string(path).map_err(KeyError::file(path))?);
                SecretString::from(text.trim_end())
            }
        };
        match session.login(UserType::User, Some(&pin)) {
            // One session's login is good for all.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(Open {
            session,
            keys: HashMap::new(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Open>> {
        // Unwrap safety: nothing panics while the lock is held.
        self.shared.idle.lock().unwrap()
    }

    fn failed(&self, doing: &'static str, reason: &str) -> KeyError {
        KeyError::Token {
            token: self.shared.token.clone(),
            doing,
            reason: reason.to_owned(),
        }
    }
}

impl Open {
    /// The handle of a private key.
    pub(crate) fn private_key(&mut self, id: &[u8]) -> Result<ObjectHandle, Error> {
        if let Some(handle) = self.keys.get(id) {
            return Ok(*handle);
        }
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Id(id.to_vec()),
        ];
        let found = self.session.find_objects(&template)?;
        let handle = *found.first().ok_or(Error::InvalidValue)?;
        self.keys.insert(id.to_vec(), handle);
        Ok(handle)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("module", &self.shared.module)
            .field("token", &self.shared.token)
            .finish_non_exhaustive()
    }
}

/// The context of this process, for one module.
fn context(module: &Path) -> Result<Pkcs11, String> {
    static CONTEXT: Mutex<Option<(PathBuf, Pkcs11)>> = Mutex::new(None);
    // Unwrap safety: nothing panics while the lock is held.
    let mut context = CONTEXT.lock().unwrap();
    if let Some((loaded, context)) = &*context {
        if loaded != module {
            let loaded = loaded.display();
            return Err(format!(
                "a process works with one PKCS#11 module, which is {loaded} already"
            ));
        }
        return Ok(context.clone());
    }
    let new = Pkcs11::new(module).map_err(|error| match error {
        Error::LibraryLoading(reason) => format!("the module cannot be loaded: {reason}"),
        other => brief(&other),
    })?;
    match new.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(brief(&error)),
    }
    *context = Some((module.to_owned(), new.clone()));
    Ok(new)
}

/// The name of an error; its text is a page of the standard.
fn brief(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("C_{function:?}: {value:?}"),
        Error::InvalidValue => "the key is not in the token".to_owned(),
        other => other.to_string(),
    }
}

//! User ids (RFC 9580 section 5.11), taken apart.

use pki::refusal::Refusal;

/// A user id of one of the forms that are understood: `Name <address>`, `Name`, `address` and `<address>`.
///
/// Which names and addresses are good ones is not judged here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserId<'a> {
    /// Who it is.
    pub name: Option<&'a str>,
    /// Where mail reaches him or her.
    pub address: Option<&'a str>,
}

impl<'a> UserId<'a> {
    /// Takes a user id apart; the refusal names the rule and what to do.
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.contains(['(', ')']) {
            return Err(refuse(
                "it has a comment or brackets, which nobody can verify",
                "Add a user id without a comment (gpg --quick-add-uid).",
            ));
        }
        let (name, address) = match text.split_once('<') {
            None if text.contains('@') => (None, Some(text)),
            None => (Some(text), None),
            Some((before, after)) => {
                let address = after.strip_suffix('>').ok_or_else(not_a_form)?;
                let name = match before {
                    "" => None,
                    _ => Some(before.strip_suffix(' ').ok_or_else(not_a_form)?),
                };
                (name, Some(address))
            }
        };
        let brackets = |part: &str| part.contains(['<', '>', '"']);
        let fits = name
            .is_none_or(|name| !name.is_empty() && !name.contains('@') && !brackets(name))
            && address.is_none_or(|address| !address.is_empty() && !brackets(address));
        match fits {
            true => Ok(Self { name, address }),
            false => Err(not_a_form()),
        }
    }
}

fn not_a_form() -> Refusal {
    refuse(
        "it is neither \"Name <address>\" nor \"Name\" nor an address",
        "Add a user id of one of these forms (gpg --quick-add-uid).",
    )
}

fn refuse(what: &str, remedy: &str) -> Refusal {
    Refusal::new("I13", "user_id", what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        let read = |text| UserId::read(text).map(|id| (id.name, id.address)).ok();
        let anna = Some("Anna Ex");
        let mail = Some("a@ex.org");
        assert_eq!(read("Anna Ex <a@ex.org>"), Some((anna, mail)));
        assert_eq!(read("Anna Ex"), Some((anna, None)));
        assert_eq!(read("a@ex.org"), Some((None, mail)));
        assert_eq!(read("<a@ex.org>"), Some((None, mail)));
        for bad in [
            "",
            " <a@ex.org>",
            "Anna Ex<a@ex.org>",
            "Anna Ex <a@ex.org",
            "Anna Ex <a@ex.org> ",
            "Anna Ex <a@ex.org> <b@ex.org>",
            "Anna Ex <>",
            "<>",
            "Anna (work) <a@ex.org>",
            "Anna Ex) <a@ex.org>",
            "anna@ex.org <a@ex.org>",
            "\"Anna Ex\" <a@ex.org>",
            "Anna > Ex",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

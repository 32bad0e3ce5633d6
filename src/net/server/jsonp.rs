//! Polling by scripts, as clients of versions 1 and 2 do in browsers that know no better (JSONP).

use super::query::parameter;
use super::response::EngineRefusal;
use bytes::Bytes;

/// The most digits of the number of a script.
const MOST_DIGITS: usize = 10;

/// The script of a page that takes an answer, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerScript(u64);

impl AnswerScript {
    /// The one of this number. Nothing but digits gets into an answer.
    pub(crate) fn of(number: &str) -> Result<Self, EngineRefusal> {
        let is_number = (1..=MOST_DIGITS).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_number);
        number.map(Self).ok_or(EngineRefusal::BadRequest)
    }

    /// An answer as a script, which calls the page's function with its text.
    pub(crate) fn write(self, text: &[u8]) -> Bytes {
        let json = serde_json::Value::from(String::from_utf8_lossy(text)).to_string();
        // Ends of lines in JavaScript, and what would end or begin an element where a script is read as a page.
        let mut script = format!("___eio[{}](", self.0);
        for character in json.chars() {
            match character {
                '\u{2028}' | '\u{2029}' | '<' | '>' => {
                    script.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                _ => script.push(character),
            }
        }
        script.push_str(");");
        script.into()
    }
}

/// What a form says that a page has posted: its field `d`, in which ends of lines are escaped, since
/// browsers change them. `None`: it has none.
pub(crate) fn posted(form: &[u8]) -> Option<Vec<u8>> {
    let form = std::str::from_utf8(form).ok()?;
    let text = parameter(form, "d")?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        // `\n` is the end of a line, and `\\n` is `\n`.
        let (said, length) = match rest.as_bytes() {
            [b'\\', b'\\', b'n', ..] => ("\\n", 3),
            [b'\\', b'n', ..] => ("\n", 2),
            _ => ("\\", 1),
        };
        plain.push_str(said);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    Some(plain.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_script_and_nothing_else() {
        let script = AnswerScript::of("7").unwrap();
        let text = "2:4\"\\</script><!--\u{2028}\u{2029}é\n";
        let expected = r#"___eio[7]("2:4\"\\\u003c/script\u003e\u003c!--\u2028\u2029é\n");"#;
        assert_eq!(script.write(text.as_bytes()), expected);
    }

    #[test]
    fn a_script_has_a_number() {
        AnswerScript::of("0123456789").unwrap();
        for number in ["", "-1", "+1", " 1", "1;alert(1)", "x", "１", "01234567890", "1e3"] {
            assert_eq!(AnswerScript::of(number), Err(EngineRefusal::BadRequest), "{number}");
        }
    }

    #[test]
    fn a_form_has_a_payload_with_its_ends_of_lines() {
        let plain =
            |form: &str| posted(form.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(plain("d=5%3A42%5B%22a+b%22%5D").as_deref(), Some(r#"5:42["a b"]"#));
        assert_eq!(plain(r"x=1&d=a\nb\\nc\d\\").as_deref(), Some("a\nb\\nc\\d\\\\"));
        assert_eq!((plain("e=1"), plain(""), posted(&[0xff])), (None, None, None));
    }
}

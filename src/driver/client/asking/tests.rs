//! Which question a function answers.

use super::*;

type Asking = Asked<dyn Fn() + Send + Sync>;

fn function() -> Arc<dyn Fn() + Send + Sync> {
    Arc::new(|| ())
}

#[test]
fn a_function_that_runs_answers_the_last_question_and_is_asked_again_only_then() {
    let mut asked = Asking::of(Some(function()));
    let Begun::Call(running) = asked.begin(1) else { panic!("it does not run yet") };
    assert!(matches!(asked.begin(2), Begun::Runs));
    assert_eq!(asked.end(&running), Some(2));
    assert_eq!(asked.end(&running), None, "nothing was asked since");
    assert!(matches!(asked.begin(3), Begun::Call(_)));
}

#[test]
fn a_function_that_was_replaced_neither_answers_nor_holds_up_the_other() {
    let mut asked = Asking::of(Some(function()));
    let Begun::Call(old) = asked.begin(1) else { panic!("it does not run yet") };
    asked.function = Some(function());
    let Begun::Call(new) = asked.begin(2) else { panic!("it waits for the old one") };
    assert_eq!(asked.end(&old), None);
    assert_eq!(asked.end(&new), Some(2));
}

#[test]
fn without_a_function_there_is_nobody_to_ask() {
    assert!(matches!(Asking::default().begin(1), Begun::NoFunction));
}

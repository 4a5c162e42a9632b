//! Loops in its initialiser, which runs when it is instantiated, before any call.

behalf_guests::export_definitions!(String::from("[]"));

extern "C" fn spin() {
    behalf_guests::spin()
}

#[used]
#[unsafe(link_section = ".init_array")]
static SPIN: extern "C" fn() = spin;

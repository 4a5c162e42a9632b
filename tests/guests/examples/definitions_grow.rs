//! Takes memory without end when it is asked for its tools.

behalf_guests::export_definitions!({
    let mut blocks = Vec::new();
    loop {
        blocks.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
});

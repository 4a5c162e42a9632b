-- Merchants of alice's with two names, and one of bob's that only he may see.
insert into public.expenses (owner_id, spent_on, merchant, category, amount) values
    ('a11ce000-0000-4000-8000-000000000001', current_date - 2, 'GREEN GROCERS', 'food', 12.30),
    ('a11ce000-0000-4000-8000-000000000001', current_date - 3, 'Rail-Ways', 'travel', 8.00),
    ('b0b00000-0000-4000-8000-000000000002', current_date - 2, 'Green-Grocer', 'food', 5.00),
    ('b0b00000-0000-4000-8000-000000000002', current_date - 2, 'Petrol Stations', 'car', 50.00);

"""What brings customers and keeps them, and what people complain about: referrals, complaints."""

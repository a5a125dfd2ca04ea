"""What the console alone says: what happened to a customer, how links and renewals stand."""
